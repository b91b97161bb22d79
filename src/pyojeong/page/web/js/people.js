// Who is who from frame to frame, and what their expressions were a moment ago.

import { iou } from "./detector.js";

const DETECT_EVERY_S = 0.5, EMPTY_EVERY_S = 0.15, SMOOTH_S = 0.3, LOST_S = 1;

/** Faces of a stream: O-net follows known ones; the whole image is searched now and then. */
export class People {
  constructor(detector) {
    this.detector = detector;
    this.reset();
  }

  reset() {
    this.known = [];
    this.lost = [];
    this.next = 1;
    this.searched = -Infinity;
  }

  /** The faces of the next frame, each with the number of its person in `track`. */
  async update(image, time) {
    const followed = this.known.length ? await this.detector.follow(image, this.known) : [];
    const missing = followed.some((face) => face === null);
    const wait = this.known.length ? DETECT_EVERY_S : EMPTY_EVERY_S;
    this.lost = this.lost.filter((face) => time - face.at <= LOST_S);
    this.known.forEach((face, i) => { if (!followed[i]) this.lost.push(face); });
    let faces = followed.map((face, i) => face && { ...this.known[i], ...face }).filter(Boolean);
    if (missing || time - this.searched >= wait || time < this.searched) {
      this.searched = time;
      for (const found of await this.detector.detect(image)) {
        if (faces.some((face) => iou(face.box, found.box) > 0.3)) continue;
        const before = this.lost.find((face) => near(face.box, found.box));
        if (before) this.lost = this.lost.filter((face) => face !== before);
        const track = before ? before.track : this.next++;
        faces.push({ ...found, track, smooth: before?.smooth ?? null });
      }
    }
    faces = faces.map((face) => ({ ...face, at: time }));
    this.known = faces;
    return faces;
  }

  /** Shares averaged over the last moments, so that bars do not flicker. */
  smooth(face, scores, time) {
    const last = face.smooth;
    const part = last ? 1 - Math.exp(-Math.max(time - last.time, 0) / SMOOTH_S) : 1;
    const mixed = last ? scores.map((v, i) => last.scores[i] + part * (v - last.scores[i])) : scores;
    face.smooth = { scores: mixed, time };
    return mixed;
  }
}

function near(a, b) {
  const size = Math.max(a[2] - a[0], b[2] - b[0]);
  const far = Math.hypot((a[0] + a[2] - b[0] - b[2]) / 2, (a[1] + a[3] - b[1] - b[3]) / 2);
  return far < size && Math.abs(Math.log((b[2] - b[0]) / (a[2] - a[0]))) < 0.7;
}
