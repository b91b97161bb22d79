// The counterpart of pyojeong/runtime/detection/blazeface_onet.py: BlazeFace proposes, O-net decides.

import { fit, warp } from "./preprocess.js";

const SIDE = 192, GRID = 48, POINTS = 6;
const ONET_SIDE = 48, ONET_BATCH = 64;
const ROOM = 2.5, FILLS_GLANCE = 0.4, GLANCE_OVERLAP = 0.3;
const OVERLAP = 0.4, FAR = 0.12, HINT = 0.3;
const CERTAIN = 0.99, TIGHTER = [0.75, 0.8, 0.87], CONFIRMED = 0.86, FILLS = 1 / 3;

export const DEFAULTS = { minFace: 20, scoreThreshold: 0.7, proposalThreshold: 0.3 };

export class Detector {
  /** `blaze` and `onet`: functions of (data, shape) that return promises of name -> Float32Array. */
  constructor(blaze, onet, options = {}) {
    this.blaze = blaze;
    this.onet = onet;
    this.options = { ...DEFAULTS, ...options };
  }

  /** The faces of an image, largest first: {box, score, landmarks}. */
  async detect(image) {
    const boxes = await this.propose(image);
    const found = await this.judge(image, boxes);
    const again = await this.refine(image, found.map((face) => square(face.box)));
    const better = again.map((face, i) => (face.score >= this.options.scoreThreshold ? face : found[i]));
    return suppress(better, OVERLAP).filter((face) => shorter(face.box) >= this.options.minFace).sort(byArea);
  }

  /** Boxes of BlazeFace, best first; a face that fills the image is found at a second look. */
  async propose(image) {
    const found = await this.look(image, 1);
    if (found.length) return found.map((one) => one.box);
    const least = FILLS_GLANCE * Math.min(image.width, image.height);
    const again = await this.look(image, ROOM);
    return again.map((one) => one.box).filter((box) => shorter(box) >= least);
  }

  async look(image, room) {
    const canvas = fit(image, SIDE, room);
    const input = Float32Array.from(canvas.data, (v) => v / 127.5 - 1);
    const [regression, logits] = await this.blaze(input, [1, SIDE, SIDE, 3]);
    const found = averageOverlaps(decode(regression, logits, this.options.proposalThreshold));
    return found.map(({ box, score }) => {
      const [x1, y1] = canvas.toFrame([box[0], box[1]]), [x2, y2] = canvas.toFrame([box[2], box[3]]);
      return { box: [x1, y1, x2, y2], score };
    });
  }

  /** O-net's boxes, scores and landmarks of squares around possible faces. */
  async refine(image, squares) {
    const found = [];
    for (let start = 0; start < squares.length; start += ONET_BATCH) {
      const part = squares.slice(start, start + ONET_BATCH), n = part.length;
      const size = ONET_SIDE * ONET_SIDE * 3, input = new Float32Array(n * size);
      part.forEach((square, i) => input.set(onetCrop(image, square), i * size));
      const [shifts, landmarks, probability] = await this.onet(input, [n, ONET_SIDE, ONET_SIDE, 3]);
      part.forEach(([x1, y1, x2, y2], i) => {
        const w = x2 - x1, h = y2 - y1, s = shifts.subarray(4 * i), p = landmarks.subarray(10 * i);
        const left = x1 + s[0] * w, top = y1 + s[1] * h;
        const right = Math.max(x2 + s[2] * w, left), bottom = Math.max(y2 + s[3] * h, top);
        const points = [0, 1, 2, 3, 4].map((k) => [x1 + p[k] * w, y1 + p[5 + k] * h]);
        found.push({ box: [left, top, right, bottom], score: probability[2 * i + 1],
                     landmarks: points });
      });
    }
    return found;
  }

  async judge(image, boxes) {
    const refined = await this.refine(image, boxes.map((box) => square(box)));
    let known = refined.filter((face) => face.score >= this.options.scoreThreshold);
    const small = FILLS * Math.min(image.width, image.height);
    const doubtful = known.filter((face) => longer(face.box) < small && face.score < CERTAIN);
    if (doubtful.length) {
      const sums = new Map(doubtful.map((face) => [face, 0]));
      for (const scale of TIGHTER) {
        const again = await this.refine(image, doubtful.map((face) => square(face.box, scale)));
        again.forEach((one, i) => sums.set(doubtful[i], sums.get(doubtful[i]) + one.score));
      }
      known = known.filter((f) => !sums.has(f) || sums.get(f) / TIGHTER.length >= CONFIRMED);
    }
    return suppress(known, OVERLAP);
  }

  /** The same faces a moment later, or null for each that is lost; O-net alone looks. */
  async follow(image, faces) {
    const found = await this.refine(image, faces.map((face) => square(face.box)));
    const far = [];
    found.forEach((now, i) => {
      const before = faces[i].box, width = Math.max(before[2] - before[0], 1);
      const moved = Math.max(...now.box.map((v, k) => Math.abs(v - before[k]))) / width;
      if (moved > FAR && now.score >= HINT) far.push(i);
    });
    if (far.length) { // the face lies off the centre of what O-net saw: look again
      const again = await this.refine(image, far.map((i) => square(found[i].box)));
      far.forEach((i, k) => { found[i] = again[k]; });
    }
    const kept = found.map((face) => face.score >= this.options.scoreThreshold);
    found.forEach((face, i) => {
      if (!kept[i]) return;
      const rival = found.some((other, k) => kept[k] && k !== i
        && (other.score > face.score || (other.score === face.score && k < i))
        && iou(face.box, other.box) > OVERLAP);
      if (rival) kept[i] = false;
    });
    return found.map((face, i) => (kept[i] ? face : null));
  }
}

function decode(regression, logits, threshold) {
  const found = [], step = 4 + 2 * POINTS;
  for (let i = 0; i < logits.length; i++) {
    const score = 1 / (1 + Math.exp(-Math.min(Math.max(logits[i], -50), 50)));
    if (score < threshold) continue;
    const ax = (((i % GRID) + 0.5) / GRID) * SIDE, ay = ((Math.floor(i / GRID) + 0.5) / GRID) * SIDE;
    const cx = regression[i * step] + ax, cy = regression[i * step + 1] + ay;
    const w = Math.max(regression[i * step + 2], 0) / 2, h = Math.max(regression[i * step + 3], 0) / 2;
    found.push({ box: [cx - w, cy - h, cx + w, cy + h], score });
  }
  return found;
}

/** Non-maximum suppression that averages what it suppresses, weighted by score. */
function averageOverlaps(found) {
  const best = suppress(found, GLANCE_OVERLAP);
  if (best.length === found.length) return best;
  const sums = best.map(() => ({ box: [0, 0, 0, 0], weight: 0 }));
  for (const one of found) {
    let owner = 0, most = -1;
    best.forEach((kept, i) => {
      const overlap = iou(kept.box, one.box);
      if (overlap > most) [owner, most] = [i, overlap];
    });
    if (most <= GLANCE_OVERLAP) continue;
    sums[owner].weight += one.score;
    one.box.forEach((v, k) => { sums[owner].box[k] += v * one.score; });
  }
  return best.map(({ score }, i) => ({ box: sums[i].box.map((v) => v / sums[i].weight), score }));
}

/** Greedy non-maximum suppression, best first. */
export function suppress(faces, threshold) {
  const order = faces.map((face, i) => [face, i]).sort((a, b) => b[0].score - a[0].score || a[1] - b[1]);
  const kept = [];
  for (const [face] of order) {
    if (kept.every((better) => iou(better.box, face.box) <= threshold)) kept.push(face);
  }
  return kept;
}

export function iou(a, b) {
  const w = Math.max(Math.min(a[2], b[2]) - Math.max(a[0], b[0]), 0);
  const h = Math.max(Math.min(a[3], b[3]) - Math.max(a[1], b[1]), 0);
  const both = w * h;
  return both > 0 ? both / (area(a) + area(b) - both) : 0;
}

function onetCrop(image, [x1, y1, x2]) {
  const scale = ONET_SIDE / Math.max(x2 - x1, 1e-3);
  const { data } = warp(image, [scale, 0, -scale * x1, 0, scale, -scale * y1], [ONET_SIDE, ONET_SIDE]);
  const out = new Float32Array(data.length);
  for (let y = 0, at = 0; y < ONET_SIDE; y++) { // transposed: the network was made in MATLAB
    for (let x = 0; x < ONET_SIDE; x++) {
      for (let k = 0; k < 3; k++, at++) out[(x * ONET_SIDE + y) * 3 + k] = (data[at] - 127.5) / 128;
    }
  }
  return out;
}

function square([x1, y1, x2, y2], scale = 1) {
  const half = (Math.max(x2 - x1, y2 - y1) / 2) * scale, cx = (x1 + x2) / 2, cy = (y1 + y2) / 2;
  return [cx - half, cy - half, cx + half, cy + half];
}

const area = ([x1, y1, x2, y2]) => Math.max(x2 - x1, 0) * Math.max(y2 - y1, 0);
const shorter = ([x1, y1, x2, y2]) => Math.min(x2 - x1, y2 - y1);
const longer = ([x1, y1, x2, y2]) => Math.max(x2 - x1, y2 - y1);
const byArea = (a, b) => area(b.box) - area(a.box) || b.score - a.score
  || a.box[0] - b.box[0] || a.box[1] - b.box[1];
