// The counterpart of pyojeong/image/preprocess.py and canvas.py: from an image to a network's input.
//
// An image is {data, width, height}: RGBA, 8 bits, as ImageData holds it; or one channel with
// `channels: 1`. A matrix [a, b, dx, c, d, dy] maps frame coordinates to input pixels, both with
// the origin at the corner of the top-left pixel. tests/page compares every function here with
// Python's on the same numbers.

/** Least-squares rotation, uniform scale and shift (Umeyama 1991, without reflection). */
export function similarity(source, target) {
  const n = source.length;
  let sx = 0, sy = 0, tx = 0, ty = 0;
  for (let i = 0; i < n; i++) {
    sx += source[i][0] / n;
    sy += source[i][1] / n;
    tx += target[i][0] / n;
    ty += target[i][1] / n;
  }
  let norm = 0, up = 0, vq = 0, uq = 0, vp = 0;
  for (let i = 0; i < n; i++) {
    const u = source[i][0] - sx, v = source[i][1] - sy;
    const p = target[i][0] - tx, q = target[i][1] - ty;
    norm += u * u + v * v;
    up += u * p;
    vq += v * q;
    uq += u * q;
    vp += v * p;
  }
  if (norm < 1e-9) return null;
  const a = (up + vq) / norm, b = (uq - vp) / norm;
  return { matrix: [a, -b, tx - a * sx + b * sy, b, a, ty - b * sx - a * sy],
           mirrored: up * vq < uq * vp };
}

/** Matrix of a detected face: by its landmarks where they are usable, else by its box. */
export function matrixForFace(pre, face) {
  const points = face.landmarks;
  if (!pre.template || !points) return matrixForBox(pre, face.box);
  const spread = (axis) => {
    const values = points.map((p) => p[axis]);
    return Math.max(...values) - Math.min(...values);
  };
  if (spread(0) < 1 && spread(1) < 1) return matrixForBox(pre, face.box);
  const [h, w] = pre.size_hw;
  const target = pre.template.map(([x, y]) => [
    ((x - 0.5) / (1 + pre.margin) + 0.5) * w,
    ((y - 0.5) / (1 + pre.margin) + 0.5) * h,
  ]);
  const found = similarity(points, target);
  if (!found || found.mirrored || Math.hypot(found.matrix[0], found.matrix[3]) <= 1e-4) {
    return matrixForBox(pre, face.box);
  }
  return found.matrix;
}

/** Matrix of a face without landmarks: a square around the box's centre. */
export function matrixForBox(pre, [x1, y1, x2, y2]) {
  const side = Math.max(x2 - x1, y2 - y1, 1) * pre.box_scale;
  const cx = (x1 + x2) / 2, cy = (y1 + y2) / 2 + pre.box_shift_y * (y2 - y1);
  const [h, w] = pre.size_hw, kx = w / side, ky = h / side;
  return [kx, 0, w / 2 - kx * cx, 0, ky, h / 2 - ky * cy];
}

/** Sample an image through a matrix: bilinear, borders repeated; shrunk by averages first. */
export function warp(image, matrix, [h, w], gray = false) {
  const scale = Math.sqrt(Math.abs(matrix[0] * matrix[4] - matrix[1] * matrix[3]));
  let source = image, m = matrix;
  if (scale < 0.5) {
    const most = Math.max(Math.floor(Math.min(image.width, image.height) / 8), 64);
    [source, m] = boxFilter(image, matrix, h, w, Math.floor(Math.min(1 / scale + 1e-6, most)), gray);
  }
  const out = bilinear(source, m, h, w);
  return gray ? toGray(out) : out;
}

function bilinear(image, [a, b, dx, c, d, dy], h, w) {
  const { data, width, height, channels = 4 } = image;
  const kept = Math.min(channels, 3), area = a * d - b * c;
  const out = new Uint8ClampedArray(h * w * kept);
  for (let y = 0, at = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const u = x + 0.5 - dx, v = y + 0.5 - dy;
      const sx = (d * u - b * v) / area - 0.5, sy = (a * v - c * u) / area - 0.5;
      const x0 = Math.floor(sx), y0 = Math.floor(sy), fx = sx - x0, fy = sy - y0;
      const l = clamp(x0, width) * channels, r = clamp(x0 + 1, width) * channels;
      const t = clamp(y0, height) * width * channels, u0 = clamp(y0 + 1, height) * width * channels;
      for (let k = 0; k < kept; k++) {
        const top = data[t + l + k] * (1 - fx) + data[t + r + k] * fx;
        const bottom = data[u0 + l + k] * (1 - fx) + data[u0 + r + k] * fx;
        out[at++] = top * (1 - fy) + bottom * fy; // Uint8ClampedArray rounds
      }
    }
  }
  return { data: out, width: w, height: h, channels: kept };
}

function clamp(value, size) {
  return value < 0 ? 0 : value >= size ? size - 1 : value;
}

/** Cut out what the output needs and average it over k x k pixels; the edges are repeated. */
function boxFilter(image, [a, b, dx, c, d, dy], h, w, k, gray) {
  const { width, height, channels = 4 } = image, area = a * d - b * c;
  const across = [], down = [];
  for (const x of [0, w]) {
    for (const y of [0, h]) {
      across.push((d * (x - dx) - b * (y - dy)) / area);
      down.push((a * (y - dy) - c * (x - dx)) / area);
    }
  }
  // The window starts and ends on multiples of k, with two output pixels to spare.
  const window = (values, size) => {
    let low = Math.floor(Math.min(...values) / k - 2) * k;
    let high = Math.ceil(Math.max(...values) / k + 2) * k;
    low = Math.min(Math.max(low, -k), size - 1);
    high = Math.max(Math.min(high, size + k), low + k, 1);
    return [low, high + ((((low - high) % k) + k) % k)];
  };
  const [x1, x2] = window(across, width), [y1, y2] = window(down, height);
  const columns = (x2 - x1) / k, rows = (y2 - y1) / k;
  const kept = gray ? 1 : Math.min(channels, 3);
  const out = new Uint8ClampedArray(rows * columns * kept), sum = new Float64Array(kept);
  const data = image.data, one = channels === 1;
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      sum.fill(0);
      for (let y = y1 + row * k; y < y1 + row * k + k; y++) {
        const line = clamp(y, height) * width;
        for (let x = x1 + column * k; x < x1 + column * k + k; x++) {
          const from = (line + clamp(x, width)) * channels;
          if (gray) sum[0] += one ? data[from] : luma(data, from);
          else for (let i = 0; i < kept; i++) sum[i] += data[from + i];
        }
      }
      for (let i = 0; i < kept; i++) out[at++] = sum[i] / (k * k);
    }
  }
  return [{ data: out, width: columns, height: rows, channels: kept },
          [a * k, b * k, dx + a * x1 + b * y1, c * k, d * k, dy + c * x1 + d * y1]];
}

/** 0.299 R + 0.587 G + 0.114 B in the whole numbers of OpenCV, so that both round alike. */
function luma(data, at) {
  return (4899 * data[at] + 9617 * data[at + 1] + 1868 * data[at + 2] + 8192) >> 14;
}

export function toGray(image) {
  const { data, width, height, channels = 4 } = image;
  if (channels === 1) return image;
  const out = new Uint8ClampedArray(width * height);
  for (let i = 0, at = 0; i < out.length; i++, at += channels) out[i] = luma(data, at);
  return { data: out, width, height, channels: 1 };
}

/** Normalised float32 (1, C, H, W) of a patch of the input's size. */
export function toTensor(pre, patch) {
  const gray = pre.color === "gray";
  const { data, width, height, channels = 4 } = gray ? toGray(patch) : patch;
  const pixels = width * height, planes = gray ? 1 : 3;
  const out = new Float32Array(planes * pixels);
  for (let k = 0; k < planes; k++) {
    const scale = Math.fround(1 / (255 * pre.std[k])), shift = pre.mean[k] / pre.std[k];
    const from = channels === 1 ? 0 : k;
    for (let i = 0; i < pixels; i++) out[k * pixels + i] = data[i * channels + from] * scale - shift;
  }
  return out;
}

/** The whole of a card's preprocessing: float32 (1, C, H, W) of one face of an image. */
export function preprocess(pre, image, face) {
  const patch = warp(image, matrixForFace(pre, face), pre.size_hw, pre.color === "gray");
  return toTensor(pre, patch);
}

/** An image laid in the middle of a square canvas, as large as it fits into 1 / room of it. */
export function fit(image, side, room = 1) {
  const scale = Math.min(side / image.width, side / image.height) / room;
  const size = (n) => Math.min(Math.max(roundHalfEven(n * scale), 1), side);
  const width = size(image.width), height = size(image.height);
  const left = (side - width) >> 1, top = (side - height) >> 1;
  let small = image, sx = 1, sy = 1;
  for (;;) { // halved by averages as often as it fits, then the rest bilinearly
    const kx = Math.floor(small.width / 2) >= width ? 2 : 1;
    const ky = Math.floor(small.height / 2) >= height ? 2 : 1;
    if (kx * ky === 1) break;
    small = averaged(small, kx, ky);
    sx /= kx;
    sy /= ky;
  }
  const scaleX = (sx * width) / small.width, scaleY = (sy * height) / small.height;
  const kx = width / small.width, ky = height / small.height;
  const pixels = kx === 1 && ky === 1 ? small : bilinear(small, [kx, 0, 0, 0, ky, 0], height, width);
  const data = new Uint8ClampedArray(side * side * 3), channels = pixels.channels ?? 4;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (y * width + x) * channels, to = ((y + top) * side + x + left) * 3;
      for (let k = 0; k < 3; k++) data[to + k] = pixels.data[from + k];
    }
  }
  return { data, width: side, height: side, channels: 3,
           toFrame: ([x, y]) => [(x - left) / scaleX, (y - top) / scaleY] };
}

function averaged(image, kx, ky) {
  const { data, width, channels = 4 } = image;
  const columns = Math.floor(width / kx), rows = Math.floor(image.height / ky);
  const out = new Uint8ClampedArray(columns * rows * 3);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const from = (row * ky * width + column * kx) * channels;
      for (let k = 0; k < 3; k++) {
        let sum = data[from + k];
        if (kx === 2) sum += data[from + channels + k];
        if (ky === 2) sum += data[from + width * channels + k];
        if (kx === 2 && ky === 2) sum += data[from + (width + 1) * channels + k];
        out[at++] = Math.floor(sum / (kx * ky) + 0.5); // as OpenCV rounds averages of two and four
      }
    }
  }
  return { data: out, width: columns, height: rows, channels: 3 };
}

function roundHalfEven(value) { // as Python's round()
  const whole = Math.floor(value);
  if (value - whole !== 0.5) return Math.round(value);
  return whole % 2 ? whole + 1 : whole;
}
