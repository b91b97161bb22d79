// What the Node adapters share: read a list of pictures, write one line per answer.
// The twin of answering.py; packages come from the environment folder given as --env.

import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';

const WARM_UP = 3; // pictures that are answered once before anything is timed or written down

export function options() {
  const given = {};
  for (let i = 2; i < process.argv.length; i += 2) given[process.argv[i].replace(/^--/, '')] = process.argv[i + 1];
  return given;
}

export function packages(env) {
  const load = createRequire(path.join(path.resolve(env), 'package.json'));
  return { load, folder: path.join(path.resolve(env), 'node_modules') };
}

// TensorFlow.js loads its binary and models by URL; Node's own fetch refuses files.
export function fetchFromDisk() {
  const plain = globalThis.fetch;
  globalThis.fetch = async (url, ...rest) => {
    const name = String(url?.url ?? url).replace(/^file:\/\//, '');
    if (!path.isAbsolute(name)) return plain(url, ...rest);
    const type = name.endsWith('.wasm') ? 'application/wasm' : 'application/octet-stream';
    return new Response(fs.readFileSync(name), { headers: { 'content-type': type } });
  };
}

// A picture as uint8 RGB, upright.
export async function readRgb(sharp, file) {
  const { data, info } = await sharp(file).rotate().removeAlpha().toColourspace('srgb').raw()
    .toBuffer({ resolveWithObject: true });
  if (info.channels === 3) return { data, width: info.width, height: info.height };
  const rgb = Buffer.alloc(info.width * info.height * 3); // gray
  for (let i = 0; i < info.width * info.height; i++) rgb.fill(data[i * info.channels], 3 * i, 3 * i + 3);
  return { data: rgb, width: info.width, height: info.height };
}

// ask: picture -> [{ area, scores }]; of several faces the largest is kept.
export async function answer(given, version, ask, read) {
  const rows = fs.readFileSync(given.pictures, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
  const file = fs.openSync(given.answers, 'a');
  const write = (row) => fs.writeSync(file, `${JSON.stringify(row)}\n`);
  for (const { path: name } of rows.slice(0, WARM_UP)) {
    try {
      await ask(await read(name));
    } catch (error) {
      console.log('warming up:', error); // it comes back below, with its row
    }
  }
  write({ ready: true, version });
  for (const { id, path: name } of rows) {
    const row = { id, faces: 0, scores: null, ms: null };
    try {
      const picture = await read(name);
      const began = performance.now();
      const faces = await ask(picture);
      row.ms = Math.round(1000 * (performance.now() - began)) / 1000;
      row.faces = faces.length;
      if (faces.length) row.scores = faces.reduce((a, b) => (b.area > a.area ? b : a)).scores;
    } catch (error) {
      row.error = `${error?.name}: ${error?.message}`.slice(0, 300);
    }
    write(row);
  }
  fs.closeSync(file);
}
