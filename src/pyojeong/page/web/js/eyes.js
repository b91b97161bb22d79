// The counterpart of pyojeong/runtime/eyes.py and head_pose.py: head pose, openness and gaze.
//
// FaceMesh gives the head's pose and the corners of the eyes; the iris network sees each eye in a
// crop of 64 pixels, the left one mirrored. Numbers come from page.json, which Python writes.

import { warp } from "./preprocess.js";

export class Eyes {
  /** `mesh` and `iris`: functions of (data, shape) that return promises of Float32Arrays. */
  constructor(mesh, iris, settings) {
    Object.assign(this, { mesh, iris, settings });
  }

  /** {pose, eyes} of a face, as FrameResult.to_dict names them; parts are missing if not measurable. */
  async measure(image, face) {
    const { presence, max_yaw_rad: most, corners, min_eye_px: least } = this.settings;
    const mesh = await this.fit(image, face);
    if (mesh.presence < presence) return { eyes: {} };
    const rotation = rotationOf(mesh.points, this.settings.head), pose = poseOf(rotation);
    if (Math.abs(pose.yaw_rad) > most) return { pose, eyes: {} };
    const outside = ([x, y]) => x < 0 || y < 0 || x > image.width || y > image.height;
    if (this.settings.eye_points.some((i) => outside(mesh.points[i]))) return { pose, eyes: {} };
    const pairs = corners.map((pair) => pair.map((i) => mesh.points[i].slice(0, 2)));
    if (pairs.some(([a, b]) => Math.hypot(b[0] - a[0], b[1] - a[1]) < least)) return { pose, eyes: {} };
    return { pose, eyes: await this.signals(image, pairs, rotation) };
  }

  async fit(image, { box: [x1, y1, x2, y2], landmarks }) {
    const { mesh_side: side, box_scale: room } = this.settings;
    const roll = landmarks
      ? Math.atan2(landmarks[1][1] - landmarks[0][1], landmarks[1][0] - landmarks[0][0]) : 0;
    const scale = side / Math.max(room * Math.max(x2 - x1, y2 - y1), 1e-3);
    const cos = scale * Math.cos(roll), sin = scale * Math.sin(roll);
    const cx = (x1 + x2) / 2, cy = (y1 + y2) / 2;
    const matrix = [cos, sin, side / 2 - cos * cx - sin * cy, -sin, cos, side / 2 + sin * cx - cos * cy];
    const crop = warp(image, matrix, [side, side]);
    const [raw, logit] = await this.mesh(Float32Array.from(crop.data, (v) => v / 255), [1, side, side, 3]);
    const points = [];
    for (let i = 0; i < raw.length; i += 3) {
      points.push([...back(matrix, raw[i], raw[i + 1]), raw[i + 2] / scale]);
    }
    return { points, presence: 1 / (1 + Math.exp(-Math.min(Math.max(logit[0], -50), 50))) };
  }

  async signals(image, pairs, rotation) {
    const { eye_side: side, gaze_openness: open } = this.settings;
    const matrices = pairs.map((pair, i) => cropMatrix(pair, i === 1, this.settings));
    const input = new Float32Array(2 * side * side * 3);
    matrices.forEach((matrix, i) => {
      const { data } = warp(image, matrix, [side, side]);
      input.set(Float32Array.from(data, (v) => v / 255), i * side * side * 3);
    });
    const [contours, irises] = await this.iris(input, [2, side, side, 3]);
    const size = contours.length / 2, parts = irises.length / 2;
    const both = matrices.map((matrix, i) => eyeOf(contours.subarray(i * size), irises.subarray(i * parts),
      matrix, this.settings));
    const out = {
      openness: both.map((eye) => eye.openness),
      iris: both.map((eye) => eye.iris), iris_diameter: both.map((eye) => eye.diameter),
    };
    if (Math.min(...out.openness) >= open) out.gaze_rad = gazeOf(both, rotation, this.settings.ball);
    return out;
  }
}

/** Input pixels -> frame. */
function back([a, b, dx, c, d, dy], x, y) {
  const area = a * d - b * c, u = x - dx, v = y - dy;
  return [(d * u - b * v) / area, (a * v - c * u) / area];
}

/** Frame -> crop: the outer corner left of the inner one and level, whichever eye it is. */
function cropMatrix([outer, inner], mirrored, { eye_side: side, crop_scale: room }) {
  let ax = inner[0] - outer[0];
  const ay = inner[1] - outer[1], scale = side / (room * Math.max(Math.hypot(ax, ay), 1e-3));
  if (mirrored) ax = -ax;
  const angle = -Math.atan2(ay, ax), cos = scale * Math.cos(angle), sin = scale * Math.sin(angle);
  const sign = mirrored ? -1 : 1, [a, b, c, d] = [sign * cos, -sin, sign * sin, cos];
  const cx = (outer[0] + inner[0]) / 2, cy = (outer[1] + inner[1]) / 2;
  return [a, b, side / 2 - a * cx - b * cy, c, d, side / 2 - c * cx - d * cy];
}

function eyeOf(contour, iris, matrix, { gaps: [closed, wide], lower, upper, outer: o, inner: n }) {
  const at = (points, i) => [points[3 * i], points[3 * i + 1]];
  const outer = at(contour, o), inner = at(contour, n);
  const ax = inner[0] - outer[0], ay = inner[1] - outer[1], width = Math.max(Math.hypot(ax, ay), 1e-3);
  const down = [-ay / width, ax / width];
  let gap = 0;
  lower.forEach((i, k) => {
    const p = at(contour, i), q = at(contour, upper[k]);
    gap += ((p[0] - q[0]) * down[0] + (p[1] - q[1]) * down[1]) / lower.length / width;
  });
  const span = (i, j) => Math.hypot(iris[3 * i] - iris[3 * j], iris[3 * i + 1] - iris[3 * j + 1]);
  const scale = Math.sqrt(Math.abs(matrix[0] * matrix[4] - matrix[1] * matrix[3]));
  return {
    openness: Math.min(Math.max((gap - closed) / (wide - closed), 0), 1),
    iris: back(matrix, iris[0], iris[1]),
    diameter: Math.max((span(1, 3) + span(2, 4)) / 2, 1e-3) / scale,
    middle: back(matrix, (outer[0] + inner[0]) / 2, (outer[1] + inner[1]) / 2),
  };
}

/** Yaw and pitch relative to the head: the mean direction of both eyes. */
function gazeOf(both, rotation, { radius, centre: [inwards, down, away] }) {
  const size = (both[0].diameter + both[1].diameter) / 2, total = [0, 0, 0];
  both.forEach((eye, i) => {
    const ball = times(rotation, [(i ? -1 : 1) * inwards, down, away]);
    let x = ((eye.iris[0] - eye.middle[0]) / size - ball[0]) / radius;
    let y = ((eye.iris[1] - eye.middle[1]) / size - ball[1]) / radius;
    const most = Math.min(1, 0.99 / Math.max(Math.hypot(x, y), 1e-9));
    x *= most;
    y *= most;
    const towards = times(transposed(rotation), [x, y, -Math.sqrt(1 - x * x - y * y)]);
    towards.forEach((v, k) => { total[k] += v; });
  });
  const norm = Math.hypot(...total), [x, y, z] = total.map((v) => v / norm);
  return [Math.atan2(x, -z), Math.asin(Math.min(Math.max(y, -1), 1))];
}

const times = (m, v) => m.map((row) => row[0] * v[0] + row[1] * v[1] + row[2] * v[2]);
const transposed = (m) => m[0].map((_, k) => m.map((row) => row[k]));

/** The rotation that turns the mean head into a mesh, by Horn's quaternion (1987). */
export function rotationOf(points, { points: used, shape }) {
  const seen = used.map((i) => points[i]), mean = [0, 1, 2].map((k) => seen.reduce((s, p) => s + p[k], 0) / seen.length);
  const s = [[0, 0, 0], [0, 0, 0], [0, 0, 0]];
  seen.forEach((p, i) => {
    for (let j = 0; j < 3; j++) for (let k = 0; k < 3; k++) s[j][k] += shape[i][j] * (p[k] - mean[k]);
  });
  const [[xx, xy, xz], [yx, yy, yz], [zx, zy, zz]] = s;
  const n = [
    [xx + yy + zz, yz - zy, zx - xz, xy - yx],
    [yz - zy, xx - yy - zz, xy + yx, zx + xz],
    [zx - xz, xy + yx, yy - xx - zz, yz + zy],
    [xy - yx, zx + xz, yz + zy, zz - xx - yy],
  ];
  const [w, x, y, z] = largestEigenvector(n);
  return [
    [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
    [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
    [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
  ];
}

/** Of a symmetric 4 x 4 matrix, by Jacobi's rotations. */
function largestEigenvector(given) {
  const a = given.map((row) => [...row]), v = a.map((_, i) => a.map((__, k) => Number(i === k)));
  for (let round = 0; round < 30; round++) {
    for (let p = 0; p < 3; p++) {
      for (let q = p + 1; q < 4; q++) {
        if (Math.abs(a[p][q]) < 1e-12) continue;
        const angle = 0.5 * Math.atan2(2 * a[p][q], a[q][q] - a[p][p]), c = Math.cos(angle), s = Math.sin(angle);
        for (let k = 0; k < 4; k++) [a[k][p], a[k][q]] = [c * a[k][p] - s * a[k][q], s * a[k][p] + c * a[k][q]];
        for (let k = 0; k < 4; k++) [a[p][k], a[q][k]] = [c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k]];
        for (let k = 0; k < 4; k++) [v[k][p], v[k][q]] = [c * v[k][p] - s * v[k][q], s * v[k][p] + c * v[k][q]];
      }
    }
  }
  const best = [0, 1, 2, 3].reduce((m, i) => (a[i][i] > a[m][m] ? i : m), 0);
  return v.map((row) => row[best]);
}

export function poseOf(r) {
  return {
    yaw_rad: Math.asin(Math.min(Math.max(r[2][0], -1), 1)),
    pitch_rad: Math.atan2(r[2][1], r[2][2]),
    roll_rad: Math.atan2(r[1][0], r[0][0]),
  };
}
