// The filters beside the grid; they live in the address, so that a reload keeps them.

import { ALL, ANY } from "./data.js";
import { count, labelled, say, splitName } from "./text.js";

const STATES = ["undecided", "mine", "decided", "conflicts", "all"].map((name) => [name, say(`state.${name}`)]);
const PLAIN = {
  check: ANY, class: "", split: "", state: "undecided", min: "", max: "", q: "", sort: "score",
};
const $ = (id) => document.getElementById(id);

export class Filters {
  /** @param {Data} data @param {(f: object) => void} changed */
  constructor(data, changed) {
    this.data = data;
    this.changed = changed;
    this.plain = { ...PLAIN, check: data.checks.length ? ANY : ALL };
    if (!data.checks.length) Object.assign(this.plain, { state: "all", sort: "row" });
    this.view = { size: "112", smooth: "0" };
    this.build();
    this.fromAddress();
    addEventListener("hashchange", () => {
      this.fromAddress();
      this.changed();
    });
  }

  build() {
    const { data } = this;
    const options = (select, names, all, shown) => select.append(new Option(all, ""), ...names.map((n) => new Option(shown(n), n)));
    options($("class"), data.labels, say("classes.all"), labelled);
    options($("split"), data.splits, say("splits.all"), splitName);
    const checks = data.checks.length ? [[ANY, say("checks.any")], ...data.checks.map((c) => [c.name, c.title])] : [];
    this.checks = this.radios($("checks"), [...checks, [ALL, say("images.all")]], "check");
    this.states = this.radios($("states"), STATES, "state");
    for (const check of data.checks) {
      const states = check.states ? `${check.states}. ` : "";
      this.checks.get(check.name).title = states + say("flagged.from", { threshold: check.threshold })
        + (check.finished ? "" : ` · ${say("unfinished")}`);
      this.checks.get(check.name).classList.toggle("unfinished", !check.finished);
    }
    for (const [id, name] of [["class", "class"], ["split", "split"], ["sort", "sort"]]) {
      $(id).addEventListener("change", () => {
        this.set({ [name]: $(id).value });
        $("grid").focus();
      });
    }
    for (const id of ["min", "max", "search"]) {
      $(id).addEventListener("input", () => {
        clearTimeout(this.typing);
        this.typing = setTimeout(() => this.set({ [id === "search" ? "q" : id]: $(id).value }), 180);
      });
    }
    $("clear").addEventListener("click", () => this.set({ ...this.plain }));
    $("no-findings").hidden = data.checks.length > 0;
    $("no-findings").append(`${say("no_findings")} `, code(`pyojeong data curate ${data.manifest.name}`),
      ` ${say("no_findings.cure")}`);
  }

  radios(box, entries, name) {
    const made = new Map();
    for (const [value, title] of entries) {
      const button = document.createElement("button");
      button.setAttribute("role", "radio");
      button.innerHTML = '<span class="title"></span><span class="n"></span><span class="meter"><i></i></span>';
      button.querySelector(".title").textContent = title;
      button.addEventListener("click", () => this.set({ [name]: value }));
      box.append(button);
      made.set(value, button);
    }
    box.addEventListener("keydown", (event) => {
      const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
      if (!by) return;
      event.preventDefault();
      event.stopPropagation();
      const values = [...made.keys()];
      const to = values[(values.indexOf(this.now[name]) + by + values.length) % values.length];
      this.set({ [name]: to });
      made.get(to).focus();
    });
    return made;
  }

  fromAddress() {
    const sent = new URLSearchParams(location.hash.slice(1));
    this.now = { ...this.plain };
    for (const name of Object.keys(PLAIN)) if (sent.has(name)) this.now[name] = sent.get(name);
    for (const name of Object.keys(this.view)) if (sent.has(name)) this.view[name] = sent.get(name);
    if (!this.checks.has(this.now.check)) this.now.check = this.plain.check;
    if (!this.states.has(this.now.state)) this.now.state = this.plain.state;
    for (const name of ["min", "max"]) if (!(Number(this.now[name]) >= 0)) this.now[name] = "";
    this.show();
  }

  set(change) {
    if (Object.entries(change).every(([k, v]) => this.now[k] === v)) return;
    Object.assign(this.now, change);
    if ("check" in change && !("min" in change)) Object.assign(this.now, { min: "", max: "" });
    this.toAddress();
    this.show();
    this.changed();
  }

  setView(change) {
    Object.assign(this.view, change);
    clearTimeout(this.viewing);
    this.viewing = setTimeout(() => this.toAddress(), 250);
  }

  toAddress() {
    const out = new URLSearchParams();
    for (const [k, v] of Object.entries(this.now)) if (v !== this.plain[k]) out.set(k, v);
    if (this.view.size !== "112") out.set("size", this.view.size);
    if (this.view.smooth !== "0") out.set("smooth", this.view.smooth);
    history.replaceState(null, "", `${location.pathname}#${out}`);
  }

  show() {
    const { now } = this;
    for (const [radios, chosen] of [[this.checks, now.check], [this.states, now.state]]) {
      for (const [value, button] of radios) {
        button.setAttribute("aria-checked", value === chosen);
        button.tabIndex = value === chosen ? 0 : -1;
      }
    }
    for (const [id, value] of [["class", now.class], ["split", now.split], ["sort", now.sort],
      ["min", now.min], ["max", now.max], ["search", now.q]]) {
      if ($(id).value !== value && document.activeElement !== $(id)) $(id).value = value;
    }
    const check = this.data.byName.get(now.check);
    $("min").placeholder = check ? String(check.threshold) : say("score.flagged");
    $("min").disabled = $("max").disabled = now.check === ALL;
    const plain = Object.keys(PLAIN).every((k) => now[k] === this.plain[k]);
    $("clear").hidden = plain;
  }

  /** Counts and bars, after every decision. */
  progress() {
    const fill = (button, text, part) => {
      button.querySelector(".n").textContent = text;
      button.querySelector("i").style.width = `${100 * part}%`;
      button.classList.toggle("done", part >= 1);
    };
    for (const [value, button] of this.checks) {
      if (value === ALL) {
        fill(button, count(this.data.size), 0);
        continue;
      }
      const [decided, flagged] = this.data.progress(this.data.byName.get(value));
      fill(button, `${count(decided)} / ${count(flagged)}`, flagged ? decided / flagged : 0);
    }
    const conflicts = this.states.get("conflicts"), n = this.data.countOf("conflicts");
    conflicts.querySelector(".n").textContent = n ? count(n) : "";
    conflicts.classList.toggle("alert", n > 0);
    const [decided, flagged] = this.data.checks.length
      ? this.data.progress(null) : [this.data.countOf("decided"), this.data.size];
    $("overall").max = Math.max(1, flagged);
    $("overall").value = decided;
    const share = flagged ? Math.floor(100 * decided / flagged) : 0;
    const of = document.createElement("span");
    of.className = "long";
    of.textContent = ` ${say(this.data.checks.length ? "overall.flagged" : "overall.images")}`;
    $("overall-text").replaceChildren(say("overall.of", { n: count(decided), all: count(flagged) }), of, ` · ${say("percent", { n: share })}`);
  }
}

export function code(text) {
  const made = document.createElement("code");
  made.textContent = text;
  return made;
}
