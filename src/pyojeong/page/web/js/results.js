// The session's results in the forms of pyojeong's own tables: `pyojeong.read_table` reads both.

import { labelOf, valence } from "./answers.js";

const MOST = 200_000;

export class Results {
  constructor(page) {
    this.page = page;
    this.clear();
  }

  clear() {
    this.frames = [];
    this.dropped = false;
  }

  /** Keep one frame: {source, index, time_s, width, height, faces, prior}. */
  add(frame) {
    this.frames.push(frame);
    if (this.frames.length > MOST) {
      this.frames.splice(0, MOST / 10);
      this.dropped = true;
    }
  }

  /** The frame as FrameResult.to_dict gives it. */
  toDict(frame) {
    const head = this.page.heads[frame.prior];
    return {
      schema: this.page.schema, source: frame.source, index: frame.index, time_s: frame.time_s,
      size_wh: [frame.width, frame.height], model_ids: this.page.model_ids,
      faces: frame.faces.map((face) => this.faceDict(face, head)),
    };
  }

  faceDict(face, head) {
    const { labels } = this.page, label = labelOf(face.scores, labels, head.threshold);
    const best = Math.max(...face.scores);
    const out = {
      box: face.box, score: face.score, landmarks: face.landmarks,
      expression: {
        label, top: labels[face.scores.indexOf(best)], unclear: label === "unclear",
        scores: Object.fromEntries(labels.map((name, i) => [name, face.scores[i]])),
        valence: valence(face.scores, labels),
        label_set: this.page.label_set, threshold: head.threshold, prior: head.prior,
      },
    };
    if (face.track !== null) out.track_id = face.track;
    if (face.pose) out.pose = face.pose;
    if (face.eyes) out.eyes = face.eyes;
    return out;
  }

  toJsonLines() {
    return this.frames.map((frame) => JSON.stringify(this.toDict(frame)) + "\n").join("");
  }

  toCsv() {
    const { columns } = this.page;
    const lines = [columns.map((column) => column.name).join(",")];
    for (const frame of this.frames) {
      const head = this.toDict(frame);
      const own = { ...head, model_ids: head.model_ids.join(";") };
      const faces = head.faces.length ? head.faces : [null];
      faces.forEach((face, number) => {
        const shown = face && { face: number, ...face,
          expression: { ...face.expression, top_score: Math.max(...Object.values(face.expression.scores)) } };
        lines.push(columns.map((c) => cell(at(c.frame ? own : shown, c.path) ?? c.missing)).join(","));
      });
    }
    return lines.join("\n") + "\n";
  }
}

function at(node, path) {
  for (const key of path) {
    if (node === null || node === undefined) return null;
    node = node[key];
  }
  return node;
}

function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return String(value);
  return /[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}

/** Hand a file to the browser's own saving. */
export function save(text, name, type) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
