// Networks and pixels, away from the page's thread. Messages in: open, image, reset. Out: ready,
// result, failed. Nothing is fetched but files of this site.

import * as ort from "../ort/ort.wasm.min.mjs";
import { shares } from "./answers.js";
import { Detector } from "./detector.js";
import { Eyes } from "./eyes.js";
import { People } from "./people.js";
import { preprocess } from "./preprocess.js";

let root = null, page = null, classifier = null, detector = null, people = null, eyes = null;
let canvas = null;

async function open(base) {
  root = base;
  page = await (await fetched(new URL("page.json", base))).json();
  ort.env.wasm.numThreads = 1; // more need headers that a plain file server does not send
  ort.env.wasm.wasmPaths = new URL("ort/", base).href;
  const { blazeface, onet, classifier: file } = page.networks;
  detector = new Detector(await network(blazeface), await network(onet), page.detector);
  classifier = await network(file);
  people = new People(detector);
}

/** The networks of eyes are fetched when somebody asks for eyes. */
async function openEyes() {
  const { mesh, iris } = page.networks;
  eyes ??= new Eyes(await network(mesh), await network(iris), page.eyes);
}

async function network(file) {
  postMessage({ type: "loading", name: file });
  const bytes = await (await fetched(new URL(`models/${file}`, root))).arrayBuffer();
  return runner(await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] }));
}

async function fetched(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url.pathname}: ${answer.status} ${answer.statusText}`);
  return answer;
}

/** A function (data, shape) -> outputs of a network with one input, in the file's order. */
function runner(session) {
  const [input] = session.inputNames;
  return async (data, shape) => {
    const out = await session.run({ [input]: new ort.Tensor("float32", data, shape) });
    return session.outputNames.map((name) => out[name].data);
  };
}

function pixelsOf(bitmap) {
  const { width, height } = bitmap;
  if (!canvas || canvas.width !== width || canvas.height !== height) {
    canvas = new OffscreenCanvas(width, height);
  }
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.clearRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, width, height);
}

async function read({ bitmap, stream, time, prior, eyes: wanted }) {
  if (wanted && !eyes) await openEyes();
  const began = performance.now(), image = pixelsOf(bitmap), decoded = performance.now();
  const faces = stream ? await people.update(image, time) : await detector.detect(image);
  const found = performance.now(), head = page.heads[prior] ?? page.heads[page.default_prior];
  for (const face of faces) {
    const { preprocess: pre } = page, [h, w] = pre.size_hw;
    const outputs = await classifier(preprocess(pre, image, face), [1, pre.channels, h, w]);
    face.scores = shares(outputs[head.index], head);
    face.shown = stream ? people.smooth(face, face.scores, time) : face.scores;
  }
  const classified = performance.now();
  for (const face of faces) {
    Object.assign(face, { pose: undefined, eyes: undefined, seen: undefined });
    if (wanted) {
      face.seen = await eyes.measure(image, face);
      Object.assign(face, face.seen);
    }
  }
  const done = performance.now();
  return {
    faces: faces.map(({ box, score, landmarks, track = null, scores, shown, pose, eyes: signals, seen }) =>
      ({ box, score, landmarks, track, scores, shown, pose, eyes: signals, seen })),
    width: image.width, height: image.height,
    ms: { decode: decoded - began, detect: found - decoded, classify: classified - found, eyes: done - classified },
  };
}

let queue = Promise.resolve();

self.onmessage = ({ data }) => {
  queue = queue.then(async () => {
    try {
      if (data.type === "open") {
        await open(data.base);
        postMessage({ type: "ready", page });
      } else if (data.type === "reset") {
        people.reset();
      } else {
        postMessage({ type: "result", id: data.id, result: await read(data) });
      }
    } catch (error) {
      postMessage({ type: "failed", id: data.id ?? null, message: String(error?.message ?? error) });
    }
  });
};
