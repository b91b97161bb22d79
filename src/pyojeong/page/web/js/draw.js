// Boxes on the picture, bars beside it, and the chart of the last minute.

import { labelOf } from "./answers.js";
import { say } from "./text.js";

const SVG = "http://www.w3.org/2000/svg";
const MARKS = ["#2a78d6", "#c8442b", "#1a7f4b", "#8a3ab9", "#b8860b", "#0e8a8a"];
let colors = {};

/** Colours of the labels, the same as in annotated images. */
export const setColors = (given) => { colors = given; };

export const markOf = (number) => MARKS[(number - 1 + MARKS.length) % MARKS.length];

const percent = (share) => say("percent", { n: Math.round(100 * share) });

/** The picture with a box, landmarks and a label for each face. */
export function drawFaces(canvas, source, result, page, threshold, marked = -1) {
  const { width, height, faces } = result;
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  const context = canvas.getContext("2d");
  context.drawImage(source, 0, 0, width, height);
  const line = Math.max(width, height) / 400, size = Math.max(12, 7 * line);
  context.lineWidth = Math.max(line, 1.5);
  context.font = `600 ${size}px system-ui, "Noto Sans KR", sans-serif`;
  faces.forEach((face, i) => {
    const mark = markOf(face.track ?? i + 1), [x1, y1, x2, y2] = face.box;
    context.strokeStyle = mark;
    context.globalAlpha = marked >= 0 && marked !== i ? 0.4 : 1;
    context.strokeRect(x1, y1, x2 - x1, y2 - y1);
    if (face.seen?.eyes.iris) {
      context.beginPath();
      face.seen.eyes.iris.forEach(([x, y], k) => {
        const r = face.seen.eyes.iris_diameter[k] / 2;
        context.moveTo(x + r, y);
        context.arc(x, y, r, 0, 2 * Math.PI);
      });
      context.stroke();
    }
    const label = labelOf(face.shown, page.labels, threshold);
    const text = `${face.track ?? i + 1} ${say(label)}`;
    const wide = context.measureText(text).width + size, tall = 1.4 * size;
    const left = Math.max(0, Math.min(x1, width - wide)), top = y1 >= tall ? y1 - tall : Math.min(y2, height - tall);
    context.fillStyle = mark;
    context.fillRect(left, top, wide, tall);
    context.fillStyle = "#fff";
    context.textBaseline = "middle";
    context.fillText(text, left + size / 2, top + tall / 2);
  });
  context.globalAlpha = 1;
}

/** One panel with bars for each face; panels of people who stay are kept and changed. */
export function drawPeople(box, result, page, threshold) {
  const wanted = result.faces.map((face, i) => String(face.track ?? i + 1));
  for (const panel of [...box.children]) if (!wanted.includes(panel.dataset.number)) panel.remove();
  result.faces.forEach((face, i) => {
    const number = wanted[i];
    let panel = box.querySelector(`[data-number="${number}"]`);
    if (!panel) {
      panel = newPanel(number, page.labels);
      box.append(panel);
    }
    const label = labelOf(face.shown, page.labels, threshold);
    const kind = say(face.track === null ? "face" : "person");
    panel.querySelector("h3").replaceChildren(`${kind} ${number}`, small(say(label)));
    const best = Math.max(...face.shown);
    page.labels.forEach((name, k) => {
      const row = panel.querySelector(`[data-name="${name}"]`), share = face.shown[k];
      row.classList.toggle("best", share === best && label !== "unclear");
      row.firstChild.textContent = say(name);
      row.querySelector("rect").setAttribute("width", `${100 * share}%`);
      row.lastChild.textContent = percent(share);
    });
    panel.querySelector("p").textContent = eyesText(face);
  });
}

function newPanel(number, labels) {
  const panel = document.createElement("article");
  panel.className = "person";
  panel.dataset.number = number;
  panel.style.setProperty("--mark", markOf(Number(number)));
  panel.append(document.createElement("h3"));
  for (const name of labels) {
    const row = document.createElement("div"), bar = document.createElementNS(SVG, "svg");
    row.className = "row";
    row.dataset.name = name;
    const rect = document.createElementNS(SVG, "rect");
    rect.setAttribute("height", "8");
    rect.setAttribute("fill", colors[name]);
    bar.setAttribute("aria-hidden", "true");
    bar.append(rect);
    row.append(document.createElement("span"), bar, document.createElement("span"));
    panel.append(row);
  }
  panel.append(document.createElement("p"));
  return panel;
}

function small(text) {
  const element = document.createElement("small");
  element.textContent = text;
  return element;
}

function eyesText({ seen }) {
  if (!seen) return "";
  const degrees = (rad) => Math.round((rad * 180) / Math.PI), parts = [], { eyes, pose } = seen;
  if (eyes.openness) {
    const [right, left] = eyes.openness.map((v) => Math.round(100 * v));
    parts.push(say("openness", { right, left }));
  }
  if (eyes.gaze_rad) {
    const [yaw, pitch] = eyes.gaze_rad.map(degrees);
    parts.push(say("gaze", { yaw, pitch }));
  }
  if (pose) {
    const { yaw_rad, pitch_rad, roll_rad } = pose;
    parts.push(say("head", { yaw: degrees(yaw_rad), pitch: degrees(pitch_rad), roll: degrees(roll_rad) }));
  }
  return parts.join(" · ") || say("eyesNone");
}

/** The shares of one person over the last minute. */
export class Timeline {
  constructor(canvas, legend, labels, seconds = 60) {
    Object.assign(this, { canvas, legend, labels, seconds, points: [], drawn: -Infinity });
  }

  clear() {
    this.points = [];
    this.drawn = -Infinity;
  }

  add(time, face) {
    this.points.push({ time, track: face?.track ?? null, shares: face?.shown ?? null });
    while (this.points[0].time < time - this.seconds) this.points.shift();
  }

  draw(now) {
    if (Math.abs(now - this.drawn) < 0.2) return; // five times a second are enough
    this.drawn = now;
    const { canvas } = this, ratio = devicePixelRatio || 1;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    const x = (time) => width - ((now - time) / this.seconds) * width, y = (share) => height - 4 - share * (height - 8);
    context.strokeStyle = getComputedStyle(canvas).borderColor;
    context.beginPath();
    for (const share of [0, 0.5, 1]) {
      context.moveTo(0, y(share));
      context.lineTo(width, y(share));
    }
    context.stroke();
    context.lineWidth = 1.6;
    this.labels.forEach((name, k) => {
      context.strokeStyle = colors[name];
      context.beginPath();
      let before = null;
      for (const point of this.points) {
        if (point.shares) {
          const joined = before && before.track === point.track && point.time - before.time < 1;
          context[joined ? "lineTo" : "moveTo"](x(point.time), y(point.shares[k]));
        }
        before = point.shares ? point : null;
      }
      context.stroke();
    });
  }

  /** Write the legend in the page's language. */
  relabel() {
    this.legend.replaceChildren(...this.labels.map((name) => {
      const item = document.createElement("li"), mark = document.createElementNS(SVG, "svg");
      const dot = document.createElementNS(SVG, "circle");
      for (const [key, value] of [["cx", 5], ["cy", 5], ["r", 5], ["fill", colors[name]]]) dot.setAttribute(key, value);
      mark.append(dot);
      item.append(mark, say(name));
      return item;
    }));
    this.canvas.setAttribute("aria-label", say("timeline"));
  }
}
