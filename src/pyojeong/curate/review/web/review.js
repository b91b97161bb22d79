// The review page: puts filters, grid, preview and saving together, and listens to the keyboard.

import { ACTIONS, CONFLICT, DROP, Data, KEEP, NOTHING, RELABEL, ask } from "./data.js";
import { Filters, code } from "./filters.js";
import { Grid } from "./grid.js";
import { Keys } from "./keys.js";
import { Preview } from "./preview.js";
import { Saver } from "./save.js";
import { count, counted, say } from "./text.js";

const POLL_MS = 4000;
const ICONS = { [KEEP]: "✓", [DROP]: "✕", [RELABEL]: "→", [CONFLICT]: "≠" };
const $ = (id) => document.getElementById(id);

class Page {
  constructor(data) {
    this.data = data;
    this.grid = new Grid($("grid"), $("canvas"), {
      thumbnail: (row) => data.thumbnail(row),
      draw: (tile, row) => this.draw(tile, row),
      describe: (row) => this.describe(row),
      selected: () => this.selected(),
      open: () => this.openPreview(),
    });
    this.preview = new Preview($("preview"), data, $("actions"));
    this.filters = new Filters(data, () => this.filter());
    this.saver = new Saver({
      heard: (words) => this.hear(words),
      refused: (message, rows) => this.refused(message, rows),
      troubled: (message) => this.troubled(message),
      changed: () => this.saving(),
    }, data.recent);
    $("manifest").textContent = data.manifest.name;
    $("reviewer").textContent = data.reviewer;
    document.title = say("title.of", { name: data.manifest.name });
    this.buildLegend();
    this.listen();
    this.view();
  }

  buildLegend() {
    this.data.names.slice(0, 9).forEach((name, i) => {
      const button = document.createElement("button"), key = document.createElement("kbd");
      key.textContent = i + 1;
      button.append(key, ` ${name}`);
      button.setAttribute("aria-label", say("relabel.as", { name }));
      button.addEventListener("click", () => this.relabel(i));
      $("legend").append(button);
    });
  }

  listen() {
    const doing = {
      keep: () => this.decide("keep"), drop: () => this.decide("drop"), accept: () => this.accept(),
      undo: () => this.undo(), next: () => this.next(),
    };
    for (const button of document.querySelectorAll("[data-do]")) {
      button.addEventListener("click", () => {
        doing[button.dataset.do]();
        if (!this.preview.open) $("grid").focus();
      });
    }
    new Keys(this);
    $("size").addEventListener("input", () => this.resize(Number($("size").value)));
    $("smooth").addEventListener("click", () => this.toggleSmooth());
    $("help-open").addEventListener("click", () => $("help").showModal());
    $("help-close").addEventListener("click", () => $("help").close());
    $("banner-close").addEventListener("click", () => { $("banner").hidden = true; });
    $("tidy").addEventListener("click", () => this.filter(true));
    $("filters-toggle").addEventListener("click", () => {
      this.toggleFilters();
      if (!document.body.classList.contains("filters-open")) $("grid").focus();
    });
    $("preview").addEventListener("close", () => $("grid").focus());
    document.querySelector("main").addEventListener("pointerdown", () => this.toggleFilters(false));
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.poll(); });
    setInterval(() => { if (!document.hidden) this.poll(); }, POLL_MS);
  }

  toggleFilters(open = !document.body.classList.contains("filters-open")) {
    document.body.classList.toggle("filters-open", open);
    $("filters-toggle").setAttribute("aria-expanded", open);
  }

  // -- what is shown -----------------------------------------------------------------------------

  view() {
    const { size, smooth } = this.filters.view;
    $("size").value = size;
    this.grid.setSize(Number($("size").value));
    this.setSmooth(smooth === "1");
  }

  resize(size) {
    $("size").value = size;
    this.grid.setSize(Number($("size").value));
    this.filters.setView({ size: $("size").value });
  }

  toggleSmooth() {
    const smooth = !document.body.classList.contains("smooth");
    this.setSmooth(smooth);
    this.filters.setView({ smooth: smooth ? "1" : "0" });
  }

  setSmooth(smooth) {
    document.body.classList.toggle("smooth", smooth);
    $("smooth").setAttribute("aria-pressed", smooth);
  }

  /** Make the list again; it stays as it is while decisions are taken on it. */
  filter(stay = false) {
    this.view();
    const rows = this.data.pick(this.filters.now);
    this.grid.setRows(rows, stay);
    this.emptied(rows.length === 0);
    this.counts();
  }

  emptied(empty) {
    $("empty").hidden = !empty;
    $("grid").hidden = empty;
    if (!empty) return;
    const { now } = this.filters, { data } = this;
    const tell = (key, ...buttons) => {
      const head = document.createElement("h2"), text = document.createElement("p");
      head.textContent = say(key);
      text.textContent = say(`${key}.text`);
      $("empty").replaceChildren(head, text, ...buttons.map(([name, change]) => {
        const button = document.createElement("button");
        button.textContent = name;
        button.addEventListener("click", () => this.filters.set(change));
        return button;
      }));
    };
    const clear = [say("clear"), { ...this.filters.plain }];
    const narrowed = now.class || now.split || now.q || now.min || now.max;
    if (now.state === "conflicts" && !narrowed) {
      tell("no_conflicts", [say("show_undecided"), { state: "undecided" }]);
    } else if (data.checks.length && data.flagged === 0 && now.check !== "*") {
      tell("none_flagged", [say("show_all"), { check: "*", state: "all" }]);
    } else if (now.state === "undecided" && !narrowed && data.byName.get(now.check)?.count !== 0) {
      tell("all_decided", [say("show_decided"), { state: "decided" }], [say("images.all"), { check: "*", state: "all" }]);
    } else {
      tell("no_match", clear);
    }
  }

  draw(tile, row) {
    const { data } = this, action = data.action[row], waits = this.saver.waits(row);
    const found = data.finding(row, this.filters.now.check);
    const [relabel, why] = found ? data.suggestion(row, found) : ["", ""];
    const words = action === CONFLICT ? data.whoSaid(row) : data.wordsFor(row);
    const label = data.names[data.label[row]];
    tile.dataset.state = waits ? "saving" : ACTIONS[action] || "open";
    tile.badge.textContent = waits ? say("saving") : words && `${ICONS[action]} ${words}`;
    tile.name.textContent = action === NOTHING && relabel ? `${label} ${relabel}` : label;
    tile.why.textContent = found?.further ? `${why} +${found.further}` : why;
    tile.why.classList.toggle("weak", Boolean(found) && !found.flagged);
    const by = data.decided(row) ? `${words} ${say("by", { name: data.reviewers[data.by[row]] })}` : words;
    const lines = [data.nameOf(row), found && data.suggestionInWords(row, found), found?.reason, by];
    tile.title = lines.filter(Boolean).join("\n");
  }

  describe(row) {
    const { data } = this, found = data.finding(row, this.filters.now.check);
    const state = data.action[row] === CONFLICT ? `${say("conflict")}, ${data.whoSaid(row).replaceAll("\n", ", ")}` : data.wordsFor(row) || say("undecided");
    const suggested = found ? `, ${data.suggestionInWords(row, found)}` : "";
    return `${data.nameOf(row)}, ${data.names[data.label[row]]}, ${data.splitNames[data.split[row]]}${suggested}, ${state}`;
  }

  selected() {
    const n = this.grid.selection.size, { row, cursor } = this.grid;
    $("selected").textContent = n > 1 ? say("selected", { n: count(n) }) : row < 0 ? "" : `${this.data.nameOf(row)} · ${say("place", { n: count(cursor + 1), all: count(this.grid.rows.length) })}`;
    const now = n === 1 ? this.data.labels[this.data.label[row]] : "";
    $("legend").querySelectorAll("button").forEach((b, i) => b.classList.toggle("now", this.data.labels[i] === now));
  }

  counts() {
    const rows = this.grid.rows.length, { state } = this.filters.now;
    $("count").textContent = counted("images", rows);
    let gone = 0;
    for (const row of this.grid.rows) gone += !this.data.passes(row, state);
    $("tidy").hidden = gone === 0;
    $("tidy").textContent = say("tidy", { n: count(gone) });
    this.filters.progress();
  }

  saving() {
    const { pending } = this.saver;
    $("saving").textContent = pending ? say("saving.n", { n: count(pending) }) : "";
    $("saving").classList.toggle("late", Boolean(this.trouble) && pending > 0);
  }

  toast(words) {
    $("toast").textContent = words;
    $("toast").hidden = false;
    clearTimeout(this.toasting);
    this.toasting = setTimeout(() => { $("toast").hidden = true; }, 2600);
  }

  banner(words, closable) {
    $("banner").hidden = !words;
    $("banner-text").textContent = words;
    $("banner-close").hidden = !closable;
  }

  // -- deciding ----------------------------------------------------------------------------------

  chosen() {
    const { grid } = this;
    return grid.selection.size ? [...grid.selection].sort((a, b) => grid.place.get(a) - grid.place.get(b)) : grid.row >= 0 ? [grid.row] : [];
  }

  word(row, action, label = "") {
    const found = this.data.finding(row, this.filters.now.check);
    const settles = this.data.action[row] === CONFLICT || this.data.final[row] === 1;
    return { row, action, label, check: found?.flagged ? found.check.name : "", final: settles };
  }

  decide(action, label) {
    this.send(this.chosen().map((row) => this.word(row, action, label)), label ? say("done.relabel", { name: this.data.names[this.data.labels.indexOf(label)] }) : say(`done.${action}`));
  }

  relabel(i) {
    if (i < this.data.labels.length) this.decide("relabel", this.data.labels[i]);
    if (!this.preview.open) $("grid").focus();
  }

  accept() {
    const words = [];
    for (const row of this.chosen()) {
      const found = this.data.finding(row, this.filters.now.check);
      if (!found?.flagged) continue;
      if (found.action === DROP) words.push(this.word(row, "drop"));
      else words.push(this.word(row, "relabel", this.data.labels[found.label]));
    }
    if (words.length) this.send(words, say("done.accept"));
    else this.toast(say("nothing_to_accept"));
  }

  send(words, what) {
    if (!words.length) return;
    this.saver.decide(words);
    this.grid.refresh(words.map((w) => w.row));
    if (words.length > 1) this.toast(say("done", { n: count(words.length), what }));
    this.goto(this.grid.after());
  }

  undo() {
    const rows = this.saver.undo();
    if (!rows.length) {
      this.toast(say("nothing_to_undo"));
      return;
    }
    this.grid.refresh(rows);
    const places = rows.map((row) => this.grid.place.get(row)).filter((at) => at !== undefined);
    if (places.length) {
      this.grid.select(Math.min(...places));
      for (const at of places) this.grid.selection.add(this.grid.rows[at]);
      this.grid.changed();
      if (this.preview.open) this.openPreview();
    }
    this.toast(rows.length === 1 ? say("undone", { what: this.data.fileOf(rows[0]) }) : say("undone.many", { n: count(rows.length) }));
  }

  goto(at) {
    if (!this.grid.rows.length) return;
    this.grid.select(Math.min(at, this.grid.rows.length - 1));
    if (this.preview.open) this.openPreview();
  }

  next() {
    const { grid, data } = this, n = grid.rows.length;
    for (let i = 1; i <= n; i++) {
      const at = (grid.cursor + i) % n, row = grid.rows[at];
      if ((data.action[row] === NOTHING || data.action[row] === CONFLICT) && !this.saver.waits(row)) {
        this.goto(at);
        return;
      }
    }
    this.toast(say("list_decided"));
  }

  openPreview() {
    if (this.grid.row < 0) return;
    this.preview.smooth = document.body.classList.contains("smooth");
    this.preview.show(this.grid.row, this.filters.now.check);
  }

  // -- the server --------------------------------------------------------------------------------

  hear(words) {
    if (!words.rows) return;
    const rows = this.data.hear(words);
    this.grid.refresh(rows);
    this.counts();
    if (this.preview.open) this.preview.show(this.preview.row, this.filters.now.check);
  }

  refused(message, rows) {
    this.grid.refresh([...rows]);
    this.banner(say("not_saved", { message }), true);
  }

  troubled(message) {
    this.trouble = message;
    this.banner(message && say("not_saved.yet", { message }), false);
    this.saving();
  }

  async poll() {
    if (this.polling) return;
    this.polling = true;
    try {
      const words = await ask(`/api/words?known=${encodeURIComponent(this.data.version)}`);
      this.hear(words);
      if (words.problem) this.banner(words.problem, true);
      else if (this.lost) this.banner("");
      this.lost = false;
    } catch (error) {
      this.lost = true;
      if (!this.trouble) this.banner(error.status ? error.message : say("no_answer.cure"), false);
    }
    this.polling = false;
  }
}

async function start() {
  if (location.search) history.replaceState(null, "", location.pathname + location.hash); // the token
  try {
    const [index, words] = await Promise.all([ask("/api/index"), ask("/api/words")]);
    const data = new Data(index);
    data.hear(words);
    const page = new Page(data);
    page.filter();
    $("grid").focus();
    document.body.dataset.ready = "true";
  } catch (error) {
    $("empty").hidden = false;
    $("empty").replaceChildren(`${say("not_loaded")} `, code(error.message), ` ${say("not_loaded.cure")}`);
    throw error;
  }
}

start();
