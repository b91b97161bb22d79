// The page: files, camera and keys in; pictures, bars and tables out. The worker does the reading.

import { labelOf } from "./answers.js";
import { drawFaces, drawPeople, setColors, Timeline } from "./draw.js";
import { Results, save } from "./results.js";
import { say, setLanguage, translate } from "./text.js";

const MOST_MEGAPIXELS = 64, PHOTO_SIDE = 2048, STREAM_SIDE = 1280;
const $ = (id) => document.getElementById(id);

const state = { page: null, results: null, timeline: null, stream: null, photos: [], shown: null,
  batch: 0, said: ["ready", {}], frames: [] };

// ---- the worker ----

const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
const waiting = new Map();
let number = 0, opened;
const ready = new Promise((resolve, reject) => { opened = { resolve, reject }; });

worker.onerror = (event) => failed(event.message || "worker");
worker.onmessage = ({ data }) => {
  if (data.type === "loading") tell("loading", { name: data.name });
  else if (data.type === "ready") opened.resolve(data.page);
  else if (data.id === null || data.id === undefined) failed(data.message);
  else {
    const { resolve, reject } = waiting.get(data.id);
    waiting.delete(data.id);
    if (data.type === "result") resolve(data.result);
    else reject(new Error(data.message));
  }
};

/** Read one bitmap, which is handed over; the answer comes when the worker has it. */
function read(bitmap, { stream = false, time = 0 } = {}) {
  const id = ++number;
  return new Promise((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    worker.postMessage({ type: "image", id, bitmap, stream, time, prior: $("prior").value,
      eyes: $("eyes").checked }, [bitmap]);
  });
}

// ---- what the page says ----

function tell(key, places = {}, bad = false) {
  state.said = [key, places];
  $("state").textContent = say(key, places);
  $("state").classList.toggle("bad", bad);
}

function failed(message) {
  tell("failed", { message }, true);
  opened.reject(new Error(message));
}

function changeLanguage(name) {
  setLanguage(name);
  $("language").value = document.documentElement.lang;
  try { localStorage.setItem("pyojeong-language", name); } catch { /* storage may be off */ }
  translate();
  if ($("pause").getAttribute("aria-pressed") === "true") $("pause").textContent = say("resume");
  $("state").textContent = say(...state.said);
  if (!state.page) return;
  for (const option of $("prior").options) option.textContent = say(option.value);
  state.timeline.relabel();
  count();
  if (!state.shown) return;
  show(state.shown);
  if (state.said[0] === "photoDone") tell("photoDone", { faces: facesText(state.shown.result) });
}

function count() {
  const n = state.results.frames.length;
  $("count").textContent = say(state.results.dropped ? "full" : "rows", { n });
  for (const id of ["csv", "json", "forget"]) $(id).disabled = !n;
}

const threshold = () => state.page.heads[$("prior").value].threshold;

/** Show a picture and what was read in it. */
function show({ source, result, stream = false }) {
  state.shown = { source, result, stream };
  $("drop").hidden = true;
  $("view").hidden = false;
  drawFaces($("picture"), source, result, state.page, threshold());
  drawPeople($("people"), result, state.page, threshold());
  $("picture").setAttribute("aria-label", facesText(result));
}

function facesText(result) {
  const labels = result.faces.map((face) => say(labelOf(face.shown, state.page.labels, threshold()))).join(", ");
  const n = result.faces.length;
  return say(n === 0 ? "faces0" : n === 1 ? "faces1" : "facesN", { n, labels });
}

function keep(source, index, time, result) {
  state.results.add({ source, index, time_s: time, width: result.width, height: result.height,
    faces: result.faces, prior: $("prior").value });
  count();
}

// ---- photos ----

async function openFiles(files) {
  const list = [...files];
  if (!list.length) return tell("noFiles", {}, true);
  await ready;
  stopStream();
  const batch = ++state.batch, problems = [];
  for (let i = 0; i < list.length && batch === state.batch; i++) {
    const file = list[i], name = file.name || "image.png";
    tell("reading", { name, i: i + 1, n: list.length });
    if (file.type.startsWith("video/")) {
      problems.push(...(await playFile(file)));
      break; // one video at a time; it goes on by itself
    }
    const problem = await readPhoto(file, name);
    if (problem) problems.push(problem);
  }
  if (problems.length) tell(...problems.at(-1), true);
  else if (!state.stream && state.shown && batch === state.batch) {
    tell("photoDone", { faces: facesText(state.shown.result) });
  }
}

async function readPhoto(file, name) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file); // turned as the picture's EXIF says
  } catch {
    return ["notRead", { name }];
  }
  const mp = (bitmap.width * bitmap.height) / 1e6;
  if (mp > MOST_MEGAPIXELS) {
    bitmap.close();
    return ["tooLarge", { name, mp: Math.round(mp), most: MOST_MEGAPIXELS }];
  }
  bitmap = await shrunk(bitmap, PHOTO_SIDE);
  const source = copyOf(bitmap), result = await read(bitmap);
  const photo = { source, result, name };
  state.photos.push(photo);
  keep(name, 0, 0, result);
  addToShelf(photo);
  show(photo);
  return null;
}

/** A bitmap of at most `side` pixels a side; results are in the pixels of what was read. */
async function shrunk(bitmap, side) {
  const scale = side / Math.max(bitmap.width, bitmap.height);
  if (scale >= 1) return bitmap;
  const small = await createImageBitmap(bitmap, { resizeWidth: Math.round(bitmap.width * scale),
    resizeHeight: Math.round(bitmap.height * scale), resizeQuality: "high" });
  bitmap.close();
  return small;
}

function copyOf(bitmap) {
  const canvas = document.createElement("canvas");
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  return canvas;
}

function addToShelf(photo) {
  const button = document.createElement("button"), small = document.createElement("canvas");
  button.type = "button";
  small.width = 168;
  small.height = 120;
  const { width, height } = photo.source, scale = Math.max(168 / width, 120 / height);
  small.getContext("2d").drawImage(photo.source, (168 - width * scale) / 2, (120 - height * scale) / 2,
    width * scale, height * scale);
  const name = document.createElement("span");
  name.textContent = photo.name;
  button.append(small, name);
  button.title = photo.name;
  button.onclick = () => choosePhoto(photo, button);
  $("shelf").append(button);
  $("shelf").hidden = state.photos.length < 2;
  choosePhoto(photo, button, false);
}

function choosePhoto(photo, button, draw = true) {
  if (draw) stopStream();
  for (const other of $("shelf").children) other.removeAttribute("aria-current");
  button.setAttribute("aria-current", "true");
  if (draw) {
    show(photo);
    tell("photoDone", { faces: facesText(photo.result) });
  }
}

// ---- streams: the camera, or a video file ----

async function playFile(file) {
  const video = $("video"), url = URL.createObjectURL(file);
  video.srcObject = null;
  video.src = url;
  try {
    await new Promise((resolve, reject) => {
      video.onloadeddata = resolve;
      video.onerror = reject;
    });
    await video.play();
  } catch {
    URL.revokeObjectURL(url);
    return [["notRead", { name: file.name }]];
  }
  startStream({ name: file.name, url });
  return [];
}

async function openCamera() {
  await ready;
  if (!navigator.mediaDevices) return tell("insecure", {}, true);
  let media;
  try {
    media = await navigator.mediaDevices.getUserMedia({ audio: false,
      video: { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" } });
  } catch (error) {
    const reasons = { NotAllowedError: "refused", NotFoundError: "noCamera", NotReadableError: "busy" };
    return tell(reasons[error.name] ?? "noCamera", {}, true);
  }
  stopStream();
  const video = $("video");
  video.srcObject = media;
  await video.play();
  for (const track of media.getTracks()) track.onended = () => stopStream("stopped");
  startStream({ name: "camera", media });
}

function startStream(stream) {
  state.batch++;
  state.stream = { ...stream, paused: false, index: 0, began: performance.now() };
  state.frames = [];
  worker.postMessage({ type: "reset" });
  state.timeline.clear();
  $("people").replaceChildren();
  $("timeline-box").hidden = false;
  $("camera-on").hidden = !stream.media;
  $("pause").disabled = $("stop").disabled = false;
  setPaused(false);
  follow(state.stream);
}

/** Read the newest frame, again and again: frames that pass meanwhile are skipped. */
async function follow(stream) {
  const video = $("video");
  // The worker never waits: while it reads a frame, the one before is drawn and the next is taken.
  let last = -1, fresh = true, before = null, next = null;
  // A camera's clock runs on between its frames; a page in the background has no callbacks.
  const counted = Boolean(video.requestVideoFrameCallback);
  const noticed = () => {
    fresh = true;
    if (state.stream === stream) video.requestVideoFrameCallback(noticed);
  };
  if (counted) video.requestVideoFrameCallback(noticed);
  const take = async () => {
    const passed = counted && !document.hidden ? fresh : video.currentTime !== last;
    if (video.readyState < 2 || !passed) return null;
    fresh = false;
    last = video.currentTime;
    const time = stream.media ? (performance.now() - stream.began) / 1000 : last;
    const source = frameOf(video);
    return { source, time, bitmap: await createImageBitmap(source) };
  };
  const drawn = () => {
    if (before) shown(stream, before);
    before = null;
  };
  while (state.stream === stream) {
    if (stream.paused) {
      next?.bitmap.close();
      next = null;
      drawn();
      await new Promise((resolve) => setTimeout(resolve, 100));
      continue;
    }
    try {
      const frame = next ?? (video.ended ? null : await take());
      if (!frame && video.ended) {
        drawn();
        return stopStream("ended");
      }
      if (!frame) {
        await new Promise((resolve) => setTimeout(resolve, 4));
        continue;
      }
      const reading = read(frame.bitmap, { stream: true, time: frame.time });
      reading.catch(() => {}); // shown below, when it is awaited
      drawn();
      next = await take();
      const result = await reading;
      before = { source: frame.source, result, time: frame.time };
    } catch (error) {
      next?.bitmap.close();
      if (state.stream === stream) stopStream();
      return failed(error.message);
    }
  }
  next?.bitmap.close();
}

/** Keep and draw what was read in a frame. */
function shown(stream, { source, result, time }) {
  keep(stream.name, stream.index++, time, result);
  show({ source, result, stream: true });
  state.timeline.add(time, result.faces[0] ?? null);
  state.timeline.draw(time);
  speed();
}

/** A copy of the frame on show, of at most STREAM_SIDE pixels a side. */
function frameOf(video) {
  const { videoWidth: width, videoHeight: height } = video;
  const scale = Math.min(STREAM_SIDE / Math.max(width, height), 1);
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  return canvas;
}

function speed() {
  const now = performance.now();
  state.frames.push(now);
  while (state.frames[0] < now - 2000) state.frames.shift();
  if (state.frames.length < 3) return;
  const fps = (1000 * (state.frames.length - 1)) / (now - state.frames[0]);
  const ms = Object.values(state.shown.result.ms).reduce((a, b) => a + b, 0);
  $("state").textContent = say("speed", { fps: fps.toFixed(0), ms: ms.toFixed(0) });
  state.said = ["speed", { fps: fps.toFixed(0), ms: ms.toFixed(0) }];
  $("state").classList.remove("bad");
  $("state").setAttribute("aria-live", "off"); // numbers that change all the time are not read out
}

function setPaused(paused) {
  state.stream.paused = paused;
  $("pause").setAttribute("aria-pressed", String(paused));
  $("pause").textContent = say(paused ? "resume" : "pause");
  if (!state.stream.media) $("video")[paused ? "pause" : "play"]();
  if (paused) tell("paused");
}

function stopStream(why = null) {
  const { stream } = state;
  if (!stream) return;
  state.stream = null;
  stream.media?.getTracks().forEach((track) => { track.onended = null; track.stop(); });
  const video = $("video");
  video.onerror = null;
  video.pause();
  video.srcObject = null;
  video.removeAttribute("src");
  if (stream.url) URL.revokeObjectURL(stream.url);
  $("camera-on").hidden = true;
  $("pause").disabled = $("stop").disabled = true;
  $("pause").setAttribute("aria-pressed", "false");
  $("pause").textContent = say("pause");
  $("state").setAttribute("aria-live", "polite");
  if (why) tell(why);
}

// ---- controls ----

function forget() {
  stopStream();
  state.batch++;
  state.results.clear();
  state.photos = [];
  state.shown = null;
  $("shelf").replaceChildren();
  $("shelf").hidden = $("view").hidden = $("timeline-box").hidden = true;
  $("drop").hidden = false;
  $("people").replaceChildren();
  count();
  tell("ready");
}

async function readAgain() { // another choice of base rates: the photo on show is read again
  const { shown } = state;
  if (!shown || shown.stream) return;
  const photo = state.photos.find((one) => one.source === shown.source);
  photo.result = await read(await createImageBitmap(photo.source));
  if (state.shown === shown) {
    show(photo);
    tell("photoDone", { faces: facesText(photo.result) });
  }
}

function connect() {
  $("choose").onclick = () => $("files").click();
  $("files").onchange = () => {
    openFiles($("files").files).finally(() => { $("files").value = ""; });
  };
  $("camera").onclick = openCamera;
  $("pause").onclick = () => state.stream && setPaused(!state.stream.paused);
  $("stop").onclick = () => stopStream("stopped");
  $("forget").onclick = forget;
  $("prior").onchange = readAgain;
  $("eyes").onchange = readAgain;
  $("csv").onclick = () => save(state.results.toCsv(), "pyojeong.csv", "text/csv");
  $("json").onclick = () => save(state.results.toJsonLines(), "pyojeong.jsonl", "application/jsonl");
  $("language").onchange = () => changeLanguage($("language").value);
  for (const name of ["dragover", "dragenter"]) {
    addEventListener(name, (event) => { event.preventDefault(); document.body.classList.add("over"); });
  }
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("over"); });
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("over");
    openFiles(event.dataTransfer.files);
  });
  addEventListener("paste", (event) => {
    if (event.clipboardData?.files.length) openFiles(event.clipboardData.files);
  });
  addEventListener("keydown", (event) => {
    const busy = event.target.closest?.("input, select, button, textarea");
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && state.stream) stopStream("stopped");
    else if (busy && event.key === " ") return;
    else if (event.target.closest?.("select, textarea")) return;
    else if (event.key === " " && state.stream) { event.preventDefault(); setPaused(!state.stream.paused); }
    else if (event.key.toLowerCase() === "o") $("files").click();
    else if (event.key.toLowerCase() === "c") openCamera();
  });
}

async function start() {
  let language = navigator.language.startsWith("ko") ? "ko" : "en";
  try { language = localStorage.getItem("pyojeong-language") ?? language; } catch { /* storage may be off */ }
  const asked = new URLSearchParams(location.search).get("lang");
  changeLanguage(asked ?? language);
  connect();
  if (typeof WebAssembly !== "object") return tell("noWasm", {}, true);
  worker.postMessage({ type: "open", base: new URL("../", import.meta.url).href });
  state.page = await ready;
  setColors(state.page.colors);
  state.results = new Results(state.page);
  state.timeline = new Timeline($("timeline"), $("legend"), state.page.labels);
  state.timeline.relabel();
  $("prior").replaceChildren(...Object.keys(state.page.heads).map((name) =>
    new Option(say(name), name, name === state.page.default_prior, name === state.page.default_prior)));
  $("eyes").parentElement.hidden = !state.page.eyes;
  count();
  tell("ready");
  document.body.dataset.ready = "true";
}

start().catch((error) => tell("failed", { message: error.message }, true));
