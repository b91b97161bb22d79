// The large view of one image: everything that is known about it.

import { ACTIONS, CONFLICT, NOTHING, ask } from "./data.js";
import { code } from "./filters.js";
import { actionName, checkName, labelled, say } from "./text.js";

function make(tag, className, ...inside) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...inside.filter((x) => x !== "" && x !== null && x !== undefined));
  return made;
}

export class Preview {
  /** @param {HTMLDialogElement} dialog @param {Data} data @param {HTMLElement} actions */
  constructor(dialog, data, actions) {
    Object.assign(this, { dialog, data, actions, row: -1, shown: -1, smooth: false });
    this.home = actions.nextSibling;
    dialog.querySelector("button").addEventListener("click", () => this.close());
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    dialog.addEventListener("close", () => this.home.before(actions));
  }

  get open() { return this.dialog.open; }

  close() { this.dialog.close(); }

  show(row, filter) {
    this.filter = filter;
    if (!this.dialog.open) {
      this.dialog.append(this.actions); // the same buttons, in reach of the mouse
      this.shown = -1;
      this.dialog.showModal();
      this.dialog.focus();
    }
    if (row !== this.row) this.details = null;
    this.row = row;
    this.draw();
    this.fetch(row);
  }

  async fetch(row) {
    try {
      const details = await ask(`/api/rows/${row}`);
      if (this.row !== row) return;
      this.details = details;
      this.draw();
    } catch (error) {
      if (this.row !== row) return;
      this.details = { fault: error.message };
      this.draw();
    }
  }

  draw() {
    const { data, row, dialog } = this, part = (name) => dialog.querySelector(name);
    const found = data.finding(row, this.filter);
    dialog.setAttribute("aria-label", say("image.of", { name: data.nameOf(row) }));
    part("h1").replaceChildren(`${data.fileOf(row)} `, make("span", "label", data.names[data.label[row]]),
      make("small", "", data.splitNames[data.split[row]]));
    part(".state").replaceWith(this.stateOf(row));
    part(".facts").replaceChildren(...this.facts(row));
    if (this.shown === row) return; // keep the images: no flicker
    this.shown = row;
    const pictures = [this.figure(row, found?.other >= 0 ? say("this_one") : "")];
    if (found?.other >= 0) pictures.push(this.figure(found.other, say("other_one")));
    part(".pictures").replaceChildren(...pictures);
  }

  stateOf(row) {
    const { data } = this, action = data.action[row];
    if (action === NOTHING) return make("span", "state", say("undecided"));
    const who = action === CONFLICT ? data.whoSaid(row).replaceAll("\n", " · ") : say("by", { name: data.reviewers[data.by[row]] });
    const words = action === CONFLICT ? say("conflict") : data.wordsFor(row);
    return make("span", `state ${ACTIONS[action]}`, words, make("small", "", who + (data.final[row] ? ` · ${say("final")}` : "")));
  }

  figure(row, caption) {
    const { data } = this;
    const image = make("img", "");
    image.alt = `${say("image.of", { name: data.nameOf(row) })}, ${data.names[data.label[row]]}`;
    image.src = `${data.thumbnail(row)}/large`;
    image.draggable = false;
    const about = caption && `${caption}: ${data.fileOf(row)} · ${data.names[data.label[row]]} · ${data.splitNames[data.split[row]]}`;
    return make("figure", this.smooth ? "smooth" : "", image, about && make("figcaption", "", about));
  }

  facts(row) {
    const { data, details } = this;
    const source = make("p", "source", `${data.nameOf(row)} (${say("row", { row })})`);
    if (!details) return [source];
    if (details.fault) return [source, make("p", "fault", say("details.failed", { message: details.fault }))];
    const size = details.picture.error
      ? make("p", "fault", details.picture.error)
      : make("p", "dim", say("pixels", { width: details.picture.width, height: details.picture.height }),
        details.group && ` · ${say("group", { name: details.group })}`, details.decision && ` · ${say("earlier", { decision: details.decision })}`);
    return [source, size, this.findings(details.findings), this.votes(details.votes),
      this.history(details.history)].filter(Boolean);
  }

  findings(findings) {
    if (!findings.length) {
      return make("section", "", make("h2", "", say("findings")), make("p", "dim", `${say("findings.none")} `, code("pyojeong data curate")));
    }
    const { data } = this;
    const sorted = [...findings].sort((a, b) => b.flagged - a.flagged || b.score - a.score);
    const table = make("table", "findings");
    for (const f of sorted) {
      const bar = make("i");
      bar.style.width = `${100 * f.score}%`;
      const mark = make("b");
      mark.style.left = `${100 * f.threshold}%`;
      const meter = make("span", "gauge", bar, mark);
      meter.title = say("flagged.from", { threshold: f.threshold });
      const suggest = f.suggest === "relabel" ? say("suggest.label", { name: data.names[f.label] }) : say("suggest.drop");
      const reason = [f.reason, f.other >= 0 ? say("copy", { name: data.nameOf(f.other) }) : "", f.flagged ? say("suggests.short", { what: suggest }) : ""];
      const row = make("tr", f.flagged ? "flagged" : "", make("th", "", checkName(f.check)),
        make("td", "", meter), make("td", "score", f.score.toFixed(2)));
      row.title = f.states;
      table.append(row);
      const why = reason.filter(Boolean).join(" · ");
      if (why) {
        const cell = make("td", "reason", why);
        cell.colSpan = 3;
        table.append(make("tr", "why", cell));
      }
    }
    return make("section", "", make("h2", "", say("findings")), table);
  }

  votes(votes) {
    if (!votes) return null;
    const table = make("table", "findings votes"), most = Math.max(1, ...votes);
    votes.forEach((n, i) => {
      if (!n) return;
      const bar = make("i");
      bar.style.width = `${100 * n / most}%`;
      table.append(make("tr", "", make("th", "", this.data.voteNames[i] || `${i}`),
        make("td", "", make("span", "gauge", bar)), make("td", "score", String(n))));
    });
    return make("section", "", make("h2", "", say("votes")), table);
  }

  history(said) {
    if (!said.length) return null;
    const list = make("ol", "history");
    for (const d of said) {
      const what = d.action === "relabel" ? `→ ${labelled(d.label)}` : actionName(d.action);
      const when = make("time", "", d.time.replace("T", " ").slice(0, 16));
      when.dateTime = d.time;
      list.append(make("li", "", make("b", "", d.reviewer), ` ${what}${d.final ? ` (${say("final")})` : ""} `, when));
    }
    return make("section", "", make("h2", "", say("decisions")), list);
  }
}
