// Asks @vladmandic/human (npm) under Node, on TensorFlow.js' WebAssembly backend.
//
// Only what an expression needs is switched on: detector, mesh (it confirms the face) and emotion.
// Answers of earlier pictures must not be used again (cacheSensitivity, skipFrames), and no class
// may be left out for a low score (emotion.minConfidence), which does not change the best one.

import path from 'node:path';
import { answer, fetchFromDisk, options, packages, readRgb } from './answering.mjs';

const given = options();
const { load, folder } = packages(given.env);
const sharp = load('sharp');
sharp.concurrency(1);
fetchFromDisk();
const wasm = load('@tensorflow/tfjs-backend-wasm');
wasm.setThreadsCount(1);
const { Human } = load(path.join(folder, '@vladmandic/human/dist/human.node-wasm.js'));
const fresh = { skipFrames: 0, skipTime: 0 };
const human = new Human({
  backend: 'wasm',
  wasmPath: `${folder}/@tensorflow/tfjs-backend-wasm/dist/`,
  modelBasePath: `file://${folder}/@vladmandic/human/models/`,
  cacheSensitivity: 0,
  cacheModels: false,
  debug: false,
  filter: { enabled: false },
  gesture: { enabled: false },
  face: {
    enabled: true,
    detector: fresh,
    mesh: { enabled: true },
    iris: { enabled: false },
    description: { enabled: false },
    emotion: { enabled: true, minConfidence: 0, ...fresh },
  },
  body: { enabled: false },
  hand: { enabled: false },
  object: { enabled: false },
  segmentation: { enabled: false },
});
await human.load();

async function ask({ data, width, height }) {
  const tensor = human.tf.tensor3d(new Uint8Array(data), [height, width, 3], 'int32');
  try {
    const result = await human.detect(tensor);
    if (result.error) throw new Error(result.error);
    return result.face.filter((f) => f.emotion?.length).map((f) => ({
      area: f.box[2] * f.box[3],
      scores: Object.fromEntries(f.emotion.map((e) => [e.emotion, e.score])),
    }));
  } finally {
    human.tf.dispose(tensor);
  }
}

await answer(given, human.version, ask, (name) => readRgb(sharp, name));
