// Rows, findings and decisions in memory; filters and order are computed here.

import { actionName, checkName, labelled, say, splitName } from "./text.js";

export const NOTHING = 0, KEEP = 1, DROP = 2, RELABEL = 3, CONFLICT = 4;
export const ACTIONS = ["", "keep", "drop", "relabel", "conflict"];
export const ANY = "", ALL = "*"; // values of the check filter beside the checks' names

export class ServerError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export async function ask(path, body) {
  const options = body === undefined ? {} : {
    method: "POST",
    priority: "high", // before the images that wait for one of the browser's six connections
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  };
  const answer = await fetch(path, options);
  const text = await answer.text();
  if (!answer.ok) {
    let words = text.trim();
    try { words = JSON.parse(text).error || words; } catch { /* plain text */ }
    throw new ServerError(answer.status, words);
  }
  return JSON.parse(text);
}

const pairs = ([keys, values]) => {
  const map = new Map();
  for (let i = 0; i < keys.length; i++) map.set(keys[i], values[i]);
  return map;
};

class Check {
  constructor(sent, size) {
    this.name = sent.name;
    this.title = checkName(sent.name);
    this.states = sent.states;
    this.threshold = sent.threshold;
    this.finished = sent.finished;
    this.cut = sent.cut;
    this.count = sent.flagged;
    this.scores = new Uint16Array(size);
    if (sent.rows === null) this.scores.set(sent.scores);
    else for (let i = 0; i < sent.rows.length; i++) this.scores[sent.rows[i]] = sent.scores[i];
    this.labels = pairs(sent.labels);
    this.others = pairs(sent.others);
    this.reasons = pairs(sent.reasons);
  }

  flags(row) { return this.scores[row] >= this.cut; }
}

export class Data {
  constructor(sent) {
    this.manifest = sent.manifest;
    this.size = sent.manifest.rows;
    this.reviewer = sent.reviewer;
    this.labels = sent.labels; // as the table has them
    this.names = sent.labels.map(labelled); // as the page shows them
    this.splits = sent.splits;
    this.splitNames = sent.splits.map(splitName);
    this.scale = sent.scale;
    this.voteNames = sent.votes.map(labelled);
    this.recent = sent.recent;
    this.label = Uint8Array.from(sent.rows.label);
    this.split = Uint8Array.from(sent.rows.split);
    this.source = sent.rows.source;
    this.key = sent.rows.key;
    this.keyWidth = sent.key_width;
    this.checks = sent.checks.map((c) => new Check(c, this.size));
    this.byName = new Map(this.checks.map((c) => [c.name, c]));
    this.best = new Uint8Array(this.size).fill(255); // the flagging check with the highest score
    this.flagged = 0;
    this.findBest();
    this.forget();
    this.version = "";
    this.reviewers = [];
  }

  findBest() {
    this.checks.forEach((check, i) => {
      for (let row = 0; row < this.size; row++) {
        if (!check.flags(row)) continue;
        const held = this.best[row];
        if (held === 255) this.flagged++;
        if (held === 255 || this.checks[held].scores[row] < check.scores[row]) this.best[row] = i;
      }
    });
  }

  forget() {
    this.action = new Uint8Array(this.size);
    this.newLabel = new Int8Array(this.size).fill(-1);
    this.by = new Int16Array(this.size).fill(-1);
    this.final = new Uint8Array(this.size);
    this.mine = new Uint8Array(this.size);
    this.said = new Map();
  }

  /** Take in what the server knows; the rows that changed, or null for "any". */
  hear(words) {
    const partial = Boolean(words.partial);
    if (!words.rows) return [];
    if (!partial) this.forget();
    this.version = words.version;
    this.reviewers = words.reviewers;
    words.rows.forEach((row, i) => {
      this.action[row] = words.action[i];
      this.newLabel[row] = words.label[i];
      this.by[row] = words.by[i];
      this.final[row] = words.final[i];
      this.mine[row] = words.mine[i];
      this.said.delete(row);
    });
    for (const [row, said] of Object.entries(words.said)) this.said.set(Number(row), said);
    return partial ? words.rows : null;
  }

  thumbnail(row) {
    const key = this.key.slice(row * this.keyWidth, (row + 1) * this.keyWidth);
    return `/pictures/${row}/${key}`;
  }

  decided(row) { return this.action[row] !== NOTHING && this.action[row] !== CONFLICT; }

  /** The finding to show for a row under a check filter, or null. */
  finding(row, filter) {
    let check = this.byName.get(filter);
    if (check && !check.scores[row]) return null;
    if (!check) check = this.checks[this.best[row]];
    if (!check) return null;
    const label = check.labels.get(row);
    return {
      check,
      score: check.scores[row] / this.scale,
      flagged: check.flags(row),
      action: label === undefined ? DROP : RELABEL,
      label: label === undefined ? -1 : label,
      other: check.others.has(row) ? check.others.get(row) : -1,
      reason: check.reasons.get(row) || "",
      further: this.checks.reduce((n, c) => n + (c !== check && c.flags(row)), 0),
    };
  }

  /** Where an image comes from, as the table states it; its row if it states nothing. */
  nameOf(row) { return this.source[row] || say("row", { row }); }

  /** The same without folders: for places with little room. */
  fileOf(row) { return this.nameOf(row).split("/").pop(); }

  /** The suggestion in a few words, for a tile: beside the label, and below it. */
  suggestion(row, found) {
    const score = found.score.toFixed(2), { other, label } = found;
    const relabel = label >= 0 ? `→ ${this.names[label]}` : "";
    if (other >= 0) return [relabel, say("copy.short", { name: this.fileOf(other), split: this.splitNames[this.split[other]] })];
    return [relabel, `${found.check.title} ${score}`];
  }

  /** The same in a sentence. */
  suggestionInWords(row, found) {
    const { other, label } = found, what = label >= 0 ? say("suggest.relabel", { name: this.names[label] }) : say("suggest.drop");
    const copy = other >= 0 ? `, ${say("copy.in", { name: this.nameOf(other), split: this.splitNames[this.split[other]] })}` : "";
    return `${found.check.title} ${found.score.toFixed(2)}${copy}${found.flagged ? `, ${say("suggests", { what })}` : ""}`;
  }

  wordsFor(row) {
    switch (this.action[row]) {
      case KEEP: return say("kept");
      case DROP: return say("dropped");
      case RELABEL: return this.names[this.newLabel[row]] || say("relabelled");
      case CONFLICT: return say("conflict");
      default: return "";
    }
  }

  /** "anna drop", "ben sad", one a line. */
  whoSaid(row) {
    return (this.said.get(row) || []).map(([by, action, label]) =>
      `${this.reviewers[by]} ${action === RELABEL ? this.names[label] : actionName(ACTIONS[action])}`).join("\n");
  }

  /** Rows that pass the filters, in order. */
  pick(f) {
    const check = this.byName.get(f.check);
    const cls = this.labels.indexOf(f.class), split = this.splits.indexOf(f.split);
    const wanted = f.q.trim().toLowerCase();
    const number = /^#\d+$/.test(wanted) ? Number(wanted.slice(1)) : -1;
    const low = f.min === "" ? null : Math.round(Number(f.min) * this.scale);
    const high = f.max === "" ? Infinity : Math.round(Number(f.max) * this.scale);
    const out = [];
    for (let row = 0; row < this.size; row++) {
      if (cls >= 0 && this.label[row] !== cls) continue;
      if (split >= 0 && this.split[row] !== split) continue;
      if (!this.passes(row, f.state)) continue;
      if (f.check !== ALL && !this.inRange(row, check, low, high)) continue;
      if (number >= 0 ? row !== number : wanted && !this.source[row].toLowerCase().includes(wanted)) continue;
      out.push(row);
    }
    return this.sorted(Int32Array.from(out), f, check);
  }

  passes(row, state) {
    const action = this.action[row];
    switch (state) {
      case "undecided": return action === NOTHING;
      case "mine": return !this.mine[row];
      case "decided": return action !== NOTHING && action !== CONFLICT;
      case "conflicts": return action === CONFLICT;
      default: return true;
    }
  }

  inRange(row, check, low, high) {
    if (check) {
      const score = check.scores[row];
      return score >= (low === null ? check.cut : low) && score <= high;
    }
    return this.checks.some((c) =>
      c.scores[row] >= (low === null ? c.cut : Math.max(low, 1)) && c.scores[row] <= high);
  }

  scoreOf(row, check) {
    if (check) return check.scores[row];
    let score = 0;
    for (const c of this.checks) if (c.scores[row] > score) score = c.scores[row];
    return score;
  }

  sorted(rows, f, check) {
    if (f.sort === "row") return rows;
    const score = new Uint16Array(this.size);
    for (const row of rows) score[row] = this.scoreOf(row, check);
    const byScore = (a, b) => score[b] - score[a] || a - b;
    if (f.sort === "class") return rows.sort((a, b) => this.label[a] - this.label[b] || byScore(a, b));
    return rows.sort(byScore);
  }

  /** [decided, flagged] of a check, or of all findings. */
  progress(check) {
    let decided = 0;
    for (let row = 0; row < this.size; row++) {
      if (this.decided(row) && (check ? check.flags(row) : this.best[row] !== 255)) decided++;
    }
    return [decided, check ? check.count : this.flagged];
  }

  countOf(state) {
    let n = 0;
    for (let row = 0; row < this.size; row++) n += this.passes(row, state);
    return n;
  }
}
