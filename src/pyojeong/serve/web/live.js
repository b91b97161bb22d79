"use strict";
const state = document.getElementById("state");
const people = document.getElementById("people");
const record = document.getElementById("record");
const texts = JSON.parse(document.getElementById("texts").textContent);
let colors = {};

/** A message with its {places} filled. */
function say(key, places = {}) {
  return texts[key].replace(/\{(\w+)\}/g, (whole, name) => places[name] ?? whole);
}

function labelled(name) {
  return texts[`label.${name}`] ?? name;
}

fetch("/api/about").then((answer) => answer.json()).then((about) => {
  colors = about.colors;
  show_state(about);
});

function element(name, words, kind) {
  const made = document.createElement(name);
  if (words !== undefined) made.textContent = words;
  if (kind) made.className = kind;
  return made;
}

function bar(share, color) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const rect = document.createElementNS(space, "rect");
  rect.setAttribute("width", `${100 * share}%`);
  rect.setAttribute("height", "8");
  rect.setAttribute("fill", color);
  svg.append(rect);
  const track = element("div", undefined, "track");
  track.append(svg);
  return track;
}

function degrees(radians) {
  return `${Math.round(radians * 180 / Math.PI)}\u00b0`;
}

function person(face) {
  const shown = face.smoothed || face.expression;
  const box = element("article", undefined, "person");
  const title = element("h2", shown ? labelled(shown.label) : say("face"));
  title.append(element("small", say("person", { n: face.track_id })));
  box.append(title);
  for (const [name, score] of Object.entries(shown ? shown.scores : {})) {
    const row = element("div", undefined, "row");
    const color = shown.unclear ? "#8f959d" : colors[name] || "#8f959d";
    row.append(element("span", labelled(name)), bar(score, color),
      element("span", say("percent", { n: Math.round(100 * score) })));
    box.append(row);
  }
  const parts = [];
  if (face.pose) parts.push(say("head", { yaw: degrees(face.pose.yaw_rad), pitch: degrees(face.pose.pitch_rad) }));
  if (face.eyes && face.eyes.openness)
    parts.push(say("open", { shares: face.eyes.openness.map((v) => Math.round(100 * v)).join(" / ") }));
  if (face.eyes && face.eyes.gaze_rad)
    parts.push(say("gaze", { angles: face.eyes.gaze_rad.map(degrees).join(" / ") }));
  if (parts.length) box.append(element("p", parts.join(", "), "eyes"));
  return box;
}

function show_state(payload) {
  const speed = { fps: payload.fps.toFixed(0), ms: payload.latency_ms.toFixed(0) };
  const over = payload.error ? say("over.error", { error: payload.error }) : say("over");
  state.textContent = payload.over ? over : say("speed", speed);
  state.className = payload.over ? "over" : "";
  record.hidden = !payload.can_record;
  record.className = payload.recording ? "on" : "";
  record.setAttribute("aria-pressed", payload.recording);
  record.textContent = say(payload.recording ? "stop" : "record");
  document.body.className = payload.recording ? "recording" : "";
}

const events = new EventSource("/events");
events.onmessage = (message) => {
  const payload = JSON.parse(message.data);
  people.replaceChildren(...payload.faces.map(person));
  show_state(payload);
};
events.addEventListener("over", (message) => {
  show_state({ ...JSON.parse(message.data), over: true });
  people.replaceChildren();
  events.close();
});
events.onerror = () => { if (state.className !== "over") state.textContent = say("lost"); };

record.addEventListener("click", async () => {
  const answer = await fetch("/api/record", {
    method: "POST", headers: { "content-type": "application/json" },
    body: JSON.stringify({ on: record.className !== "on" }),
  });
  const payload = await answer.json();
  if (payload.error) state.textContent = payload.error; else show_state(payload);
});
