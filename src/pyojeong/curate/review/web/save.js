// Decisions on their way to the server: sent at once and in order, tried again until they are on disk.

import { ask } from "./data.js";
import { say } from "./text.js";

const PAUSES = [400, 800, 1500, 3000, 5000];

export class Saver {
  /** @param {object} use heard(words), refused(message, rows), troubled(message or ""), changed() */
  constructor(use, recent) {
    this.use = use;
    this.queue = [];
    this.batches = recent.map((rows) => ({ rows }));
    this.busy = false;
    addEventListener("beforeunload", (event) => { if (this.queue.length) event.preventDefault(); });
    addEventListener("online", () => this.hurry?.());
  }

  get pending() { return this.queue.reduce((n, b) => n + b.words.length, 0); }

  waits(row) { return this.queue.some((b) => b.rows.has(row)); }

  decide(words) {
    const batch = { rows: words.map((w) => w.row) };
    this.batches.push(batch);
    this.send(words, batch);
  }

  /** Take back this reviewer's latest batch; its rows, or [] when there is none. */
  undo() {
    const batch = this.batches.pop();
    if (!batch) return [];
    this.send(batch.rows.map((row) => ({ row, action: "undo" })), null);
    return batch.rows;
  }

  send(words, batch) {
    const id = Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("-");
    this.queue.push({ id, words, batch, rows: new Set(words.map((w) => w.row)) });
    this.use.changed();
    this.work();
  }

  async work() {
    if (this.busy) return;
    this.busy = true;
    for (let failures = 0; this.queue.length;) {
      const { id, words, batch, rows } = this.queue[0];
      try {
        const heard = await ask("/api/decisions", { id, words });
        this.queue.shift();
        if (failures) this.use.troubled("");
        failures = 0;
        this.use.heard(heard);
      } catch (error) {
        if (error.status === 422) { // repeating it would not help
          this.queue.shift();
          this.batches = this.batches.filter((b) => b !== batch);
          this.use.refused(error.message, rows);
        } else {
          const why = error.status ? error.message : say("no_answer");
          this.use.troubled(why);
          await this.pause(PAUSES[Math.min(failures++, PAUSES.length - 1)]);
        }
      }
      this.use.changed();
    }
    this.busy = false;
  }

  pause(ms) {
    return new Promise((resolve) => {
      this.hurry = resolve;
      setTimeout(resolve, ms);
    });
  }
}
