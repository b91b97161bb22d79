// The keyboard, and the overlay that explains it.

import { say } from "./text.js";

const KEYS = [
  "arrows", "shift", "mouse", "all", "keep", "drop", "label", "accept", "undo",
  "next", "open", "smooth", "size", "search", "tidy", "far", "escape", "help",
];
const $ = (id) => document.getElementById(id);

export class Keys {
  /** @param {Page} page what the keys act on */
  constructor(page) {
    this.page = page;
    const size = (by) => page.resize(Number($("size").value) + by);
    this.letters = {
      k: () => page.decide("keep"), d: () => page.decide("drop"), r: () => page.accept(),
      u: () => page.undo(), g: () => page.next(), s: () => page.toggleSmooth(),
      x: () => page.filter(true), "?": () => $("help").showModal(), "/": () => this.search(),
      "+": () => size(24), "=": () => size(24), "-": () => size(-24),
      Escape: () => { if (page.grid.rows.length) page.grid.select(page.grid.cursor); },
    };
    for (const name of KEYS) {
      const term = document.createElement("dt"), words = document.createElement("dd");
      term.textContent = say(`key.${name}`);
      words.textContent = say(`key.${name}.does`);
      $("keys").append(term, words);
    }
    document.addEventListener("keydown", (event) => this.key(event));
  }

  search() {
    this.page.toggleFilters(true);
    $("search").focus();
    $("search").select();
  }

  key(event) {
    const { target, key } = event;
    if (!(target instanceof Element) || event.altKey || $("help").open || event.isComposing) return;
    if (target.matches("input[type=search], input[type=number], select")) {
      if (key === "Escape" || (key === "Enter" && target.type === "search")) $("grid").focus();
      return;
    }
    if (event.ctrlKey || event.metaKey) {
      if (key.toLowerCase() !== "a" || this.page.preview.open) return;
      this.page.grid.selectAll();
    } else if (!this.pressed(event)) return;
    event.preventDefault();
  }

  /** True when the key meant something. */
  pressed(event) {
    const { page } = this, { target, key } = event, { open } = page.preview;
    if (event.repeat && /^[1-9kdrux]$/i.test(key)) return true; // a key held down decides once
    if (/^[1-9]$/.test(key)) page.relabel(Number(key) - 1);
    else if (key === " " || key === "Enter") {
      if (target.matches("button, input") && !(open && key === " ")) return false;
      if (open) page.preview.close();
      else page.openPreview();
    } else if (/^(Arrow|Page|Home|End)/.test(key)) {
      if (target.matches("input") || !page.grid.rows.length) return false;
      if (!page.grid.step(key, event.shiftKey && !open)) return false;
      if (open) page.openPreview();
      else $("grid").focus();
    } else {
      const act = this.letters[key] || this.letters[key.toLowerCase()];
      if (!act || (open && ["Escape", "/", "x"].includes(key))) return false;
      act();
    }
    return true;
  }
}
