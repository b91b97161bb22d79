// Asks @vladmandic/face-api (npm) under Node, on TensorFlow.js' WebAssembly backend.

import { answer, fetchFromDisk, options, packages, readRgb } from './answering.mjs';

const given = options();
const { load, folder } = packages(given.env);
const tf = load('@tensorflow/tfjs');
const wasm = load('@tensorflow/tfjs-backend-wasm');
const sharp = load('sharp');
sharp.concurrency(1);
fetchFromDisk();
wasm.setThreadsCount(1);
wasm.setWasmPaths(`${folder}/@tensorflow/tfjs-backend-wasm/dist/`);
await tf.setBackend('wasm');
await tf.ready();
const faceapi = load('@vladmandic/face-api/dist/face-api.node-wasm.js');
const models = `${folder}/@vladmandic/face-api/model`;
const { nets } = faceapi;
const detector = { ssd: nets.ssdMobilenetv1, tiny: nets.tinyFaceDetector }[given.how];
if (detector) {
  await detector.loadFromDisk(models);
  await nets.faceLandmark68Net.loadFromDisk(models);
}
await nets.faceExpressionNet.loadFromDisk(models);
const settings = given.how === 'tiny' ? new faceapi.TinyFaceDetectorOptions() : new faceapi.SsdMobilenetv1Options();

const scoresOf = (expressions) => Object.fromEntries(Object.entries(expressions).filter(([, v]) => typeof v === 'number'));

async function ask({ data, width, height }) {
  const tensor = tf.tensor3d(new Uint8Array(data), [height, width, 3], 'int32');
  try {
    if (given.how === 'crop') return [{ area: 1, scores: scoresOf(await nets.faceExpressionNet.predictExpressions(tensor)) }];
    const faces = await faceapi.detectAllFaces(tensor, settings).withFaceLandmarks().withFaceExpressions();
    return faces.map((f) => ({ area: f.detection.box.area, scores: scoresOf(f.expressions) }));
  } finally {
    tf.dispose(tensor);
  }
}

await answer(given, load('@vladmandic/face-api/package.json').version, ask, (name) => readRgb(sharp, name));
