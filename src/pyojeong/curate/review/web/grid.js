// A grid of any number of images: only the visible tiles are in the document, and they are reused.

const GAP = 8, PAD = 12, CAPTION = 42, BORDER = 4, OVERSCAN = 1;
const FAST = 2.5; // pixels per millisecond; above it images wait until the scrolling calms down
const CALM_MS = 70;

export class Grid {
  /**
   * @param {HTMLElement} box the scrolling listbox
   * @param {HTMLElement} canvas as tall as all tiles
   * @param {object} use draw(tile, row), thumbnail(row), describe(row), selected(), open(row)
   */
  constructor(box, canvas, use) {
    Object.assign(this, { box, canvas, use });
    this.rows = new Int32Array(0);
    this.place = new Map(); // row -> position
    this.tiles = new Map(); // position -> tile
    this.spare = [];
    this.cursor = 0;
    this.anchor = 0;
    this.selection = new Set(); // rows
    this.size = 112;
    this.columns = 1;
    this.waiting = 0;
    this.lastTop = 0;
    this.lastTime = 0;
    box.addEventListener("scroll", () => this.scrolled(), { passive: true });
    new ResizeObserver(() => this.layout()).observe(box);
    this.listen();
  }

  /** Show another list: from its beginning, or staying where one is. */
  setRows(rows, stay) {
    const ahead = stay ? this.rows.subarray(this.cursor) : [];
    this.rows = rows;
    this.place = new Map();
    rows.forEach((row, at) => this.place.set(row, at));
    const next = ahead.find((row) => this.place.has(row));
    const at = next === undefined ? (stay ? rows.length - 1 : 0) : this.place.get(next);
    this.box.scrollTop = 0;
    this.drop(() => true);
    this.layout(false);
    this.select(Math.max(0, at));
  }

  setSize(size) {
    this.size = size;
    this.layout();
  }

  /** Row under the cursor, or -1. */
  get row() { return this.rows.length ? this.rows[this.cursor] : -1; }

  layout(stay = true) {
    const width = this.box.clientWidth - 2 * PAD;
    if (width <= 0) return;
    const before = this.tileHeight ? this.box.scrollTop / (this.tileHeight + GAP) * this.columns : 0;
    this.columns = Math.max(1, Math.floor((width + GAP) / (this.size + BORDER + GAP)));
    this.tileWidth = Math.floor((width - (this.columns - 1) * GAP) / this.columns);
    this.tileHeight = this.tileWidth + CAPTION;
    const lines = Math.ceil(this.rows.length / this.columns);
    this.canvas.style.height = `${lines ? 2 * PAD + lines * (this.tileHeight + GAP) - GAP : 0}px`;
    this.canvas.style.setProperty("--tile-w", `${this.tileWidth}px`);
    this.canvas.style.setProperty("--tile-h", `${this.tileHeight}px`);
    this.canvas.style.setProperty("--image", `${this.tileWidth - BORDER}px`);
    for (const [at, tile] of this.tiles) this.put(tile, at);
    if (stay) this.box.scrollTop = Math.floor(before / this.columns) * (this.tileHeight + GAP);
    this.render();
  }

  put(tile, at) {
    const x = PAD + (at % this.columns) * (this.tileWidth + GAP);
    const y = PAD + Math.floor(at / this.columns) * (this.tileHeight + GAP);
    tile.style.transform = `translate(${x}px, ${y}px)`;
  }

  scrolled() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.render();
    });
  }

  range() {
    const step = this.tileHeight + GAP, top = this.box.scrollTop;
    const first = Math.max(0, Math.floor((top - PAD) / step) - OVERSCAN) * this.columns;
    const lines = Math.ceil((top + this.box.clientHeight) / step) + OVERSCAN;
    return [first, Math.min(this.rows.length, lines * this.columns)];
  }

  drop(gone) {
    for (const [at, tile] of this.tiles) {
      if (!gone(at)) continue;
      this.tiles.delete(at);
      this.spare.push(tile);
      tile.image.removeAttribute("src"); // a request under way is given up
      tile.removeAttribute("id");
      tile.hidden = true;
    }
  }

  render() {
    if (!this.tileHeight) return;
    const [first, end] = this.range();
    const now = performance.now(), top = this.box.scrollTop;
    const speed = Math.abs(top - this.lastTop) / Math.max(1, now - this.lastTime);
    this.lastTop = top;
    this.lastTime = now;
    this.drop((at) => at < first || at >= end);
    const later = speed > FAST;
    for (let at = first; at < end; at++) {
      if (this.tiles.has(at)) continue;
      const tile = this.spare.pop() || this.build();
      this.tiles.set(at, tile);
      tile.id = `tile-${at}`;
      tile.setAttribute("aria-posinset", at + 1);
      tile.setAttribute("aria-setsize", this.rows.length);
      this.put(tile, at);
      this.fill(tile, at);
      tile.hidden = false;
      if (!later) this.load(tile, at);
    }
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => {
      for (const [at, tile] of this.tiles) this.load(tile, at);
      const most = this.tiles.size + 4 * this.columns;
      while (this.spare.length && this.tiles.size + this.spare.length > most) this.spare.pop().remove();
    }, CALM_MS);
  }

  load(tile, at) {
    if (!tile.image.hasAttribute("src")) tile.image.src = this.use.thumbnail(this.rows[at]);
  }

  build() {
    const tile = document.createElement("div");
    tile.className = "tile";
    tile.setAttribute("role", "option");
    const image = document.createElement("img");
    Object.assign(image, { alt: "", draggable: false, decoding: "async", fetchPriority: "low" });
    const part = (name) => {
      const span = document.createElement("span");
      span.className = name;
      return span;
    };
    Object.assign(tile, { image, badge: part("badge"), name: part("name"), why: part("why") });
    const frame = part("frame");
    frame.append(image);
    tile.append(frame, tile.name, tile.badge, tile.why);
    this.canvas.append(tile);
    return tile;
  }

  fill(tile, at) {
    const row = this.rows[at];
    this.use.draw(tile, row);
    tile.setAttribute("aria-label", this.use.describe(row));
    tile.setAttribute("aria-selected", this.selection.has(row));
    tile.classList.toggle("cursor", at === this.cursor);
  }

  /** Draw again what is visible: all, or some rows. */
  refresh(rows) {
    if (rows) {
      for (const row of rows) {
        const at = this.place.get(row);
        if (this.tiles.has(at)) this.fill(this.tiles.get(at), at);
      }
      return;
    }
    for (const [at, tile] of this.tiles) this.fill(tile, at);
  }

  // -- selection ---------------------------------------------------------------------------------

  /** One tile: cursor and whole selection. */
  select(at, show = true) {
    this.selection.clear();
    this.anchor = at;
    this.move(at, show);
  }

  move(at, show = true) {
    if (!this.rows.length) {
      this.box.removeAttribute("aria-activedescendant");
      this.changed();
      return;
    }
    this.cursor = Math.max(0, Math.min(at, this.rows.length - 1));
    this.selection.add(this.rows[this.cursor]);
    if (show) this.show(this.cursor);
    this.changed();
  }

  changed() {
    if (this.rows.length) this.box.setAttribute("aria-activedescendant", `tile-${this.cursor}`);
    for (const [at, tile] of this.tiles) {
      tile.setAttribute("aria-selected", this.selection.has(this.rows[at]));
      tile.classList.toggle("cursor", at === this.cursor);
    }
    this.use.selected();
  }

  extend(at) {
    const to = Math.max(0, Math.min(at, this.rows.length - 1));
    this.selection.clear();
    for (let i = Math.min(this.anchor, to); i <= Math.max(this.anchor, to); i++) this.selection.add(this.rows[i]);
    this.move(to);
  }

  toggle(at) {
    const row = this.rows[at];
    this.cursor = this.anchor = at;
    if (this.selection.has(row)) this.selection.delete(row);
    else this.selection.add(row);
    this.changed();
  }

  selectAll() {
    this.selection = new Set(this.rows);
    this.changed();
  }

  /** The position behind the last selected one. */
  after() {
    let last = this.cursor;
    for (const row of this.selection) last = Math.max(last, this.place.get(row) ?? -1);
    return last + 1;
  }

  step(key, grow) {
    const screen = Math.max(1, Math.floor(this.box.clientHeight / (this.tileHeight + GAP))) * this.columns;
    const by = {
      ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.columns, ArrowDown: this.columns,
      PageUp: -screen, PageDown: screen, Home: -Infinity, End: Infinity,
    }[key];
    if (by === undefined) return false;
    let to = this.cursor + by;
    if (by === -this.columns && to < 0) to = this.cursor;
    if (by === this.columns && to >= this.rows.length) {
      const lastLine = Math.floor((this.rows.length - 1) / this.columns);
      to = Math.floor(this.cursor / this.columns) < lastLine ? this.rows.length - 1 : this.cursor;
    }
    if (grow) this.extend(to);
    else this.select(Math.max(0, Math.min(to, this.rows.length - 1)));
    return true;
  }

  show(at) {
    const step = this.tileHeight + GAP, y = PAD + Math.floor(at / this.columns) * step;
    const { scrollTop, clientHeight } = this.box;
    if (y - PAD < scrollTop) this.box.scrollTop = y - PAD;
    else if (y + this.tileHeight + PAD > scrollTop + clientHeight) {
      this.box.scrollTop = y + this.tileHeight + PAD - clientHeight;
    }
    this.render();
  }

  // -- mouse -------------------------------------------------------------------------------------

  /** Position under a point of the canvas, or -1. */
  at(x, y) {
    const column = Math.floor((x - PAD) / (this.tileWidth + GAP));
    const line = Math.floor((y - PAD) / (this.tileHeight + GAP));
    const inside = (x - PAD) % (this.tileWidth + GAP) <= this.tileWidth
      && (y - PAD) % (this.tileHeight + GAP) <= this.tileHeight;
    const at = line * this.columns + column;
    return inside && column >= 0 && column < this.columns && line >= 0 && at < this.rows.length ? at : -1;
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  listen() {
    this.box.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || event.pointerType === "touch") return;
      if (event.offsetX > this.box.clientWidth && event.target === this.box) return; // scroll bar
      this.drag = { from: this.point(event), event, held: event.ctrlKey || event.metaKey ? new Set(this.selection) : new Set() };
    });
    addEventListener("pointermove", (event) => this.dragged(event));
    addEventListener("pointerup", () => this.released());
    this.box.addEventListener("click", (event) => this.clicked(event));
    this.box.addEventListener("dblclick", (event) => {
      const at = this.at(...this.point(event));
      if (at >= 0) this.use.open(this.rows[at]);
    });
  }

  clicked(event) {
    if (this.justDragged) {
      this.justDragged = false;
      return;
    }
    const at = this.at(...this.point(event));
    if (at < 0) return;
    if (event.shiftKey) this.extend(at);
    else if (event.ctrlKey || event.metaKey) this.toggle(at);
    else this.select(at, false);
  }

  dragged(event) {
    if (!this.drag) return;
    const from = this.drag.from, to = this.point(event);
    if (!this.drag.frame) {
      if (Math.hypot(to[0] - from[0], to[1] - from[1]) < 6) return;
      this.drag.frame = document.createElement("div");
      this.drag.frame.className = "marquee";
      this.canvas.append(this.drag.frame);
      this.drag.timer = setInterval(() => this.creep(), 30);
    }
    this.drag.event = event;
    this.marquee(from, to);
  }

  /** Scroll while the pointer is held beyond an edge. */
  creep() {
    const box = this.box.getBoundingClientRect(), y = this.drag.event.clientY;
    const by = y < box.top + 24 ? y - box.top - 24 : y > box.bottom - 24 ? y - box.bottom + 24 : 0;
    if (!by) return;
    this.box.scrollTop += by;
    this.marquee(this.drag.from, this.point(this.drag.event));
  }

  marquee([x0, y0], [x1, y1]) {
    const [left, right] = [Math.max(0, Math.min(x0, x1)), Math.max(x0, x1)];
    const [top, bottom] = [Math.max(0, Math.min(y0, y1)), Math.min(Math.max(y0, y1), this.canvas.clientHeight)];
    Object.assign(this.drag.frame.style, {
      transform: `translate(${left}px, ${top}px)`, width: `${right - left}px`, height: `${bottom - top}px`,
    });
    const lineOf = (y) => (y - PAD) / (this.tileHeight + GAP);
    const columnOf = (x) => (x - PAD) / (this.tileWidth + GAP);
    const chosen = new Set(this.drag.held);
    let last = -1;
    for (let line = Math.max(0, Math.floor(lineOf(top + GAP))); line <= lineOf(bottom); line++) {
      const to = Math.min(this.columns - 1, Math.floor(columnOf(right)));
      for (let c = Math.max(0, Math.floor(columnOf(left + GAP))); c <= to; c++) {
        const at = line * this.columns + c;
        if (at >= this.rows.length) break;
        chosen.add(this.rows[at]);
        last = at;
      }
    }
    this.selection = chosen;
    if (last >= 0) this.cursor = this.anchor = last;
    this.changed();
  }

  released() {
    if (this.drag?.frame) {
      clearInterval(this.drag.timer);
      this.drag.frame.remove();
      this.justDragged = true;
      setTimeout(() => { this.justDragged = false; });
    }
    this.drag = null;
  }
}
