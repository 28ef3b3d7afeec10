// The hit cells as instances of one cube, which the graphics card bends into boxes or sectors of a cylinder.
"use strict";

const CELL_VERTEX = `
  attribute vec3 low, high;
  attribute vec4 tint;
  attribute float sector, number;
  varying vec3 turned;
  varying vec2 face;
  varying vec4 shade;
  varying float named;
  void main() {
    vec3 part = position + 0.5;
    vec3 place = mix(low, high, part);
    vec3 outward = normal;
    if (sector > 0.5) {
      // against the angle, so that (angle, radius, z) turns as (x, y, z) does and faces keep their outside
      float angle = mix(high.x, low.x, part.x);
      vec3 along = vec3(cos(angle), sin(angle), 0.0);
      outward = normal.x * vec3(along.y, -along.x, 0.0) + normal.y * along + vec3(0.0, 0.0, normal.z);
      place = vec3(place.y * along.xy, place.z);
    }
    turned = normalize(normalMatrix * outward);
    face = uv;
    shade = tint;
    named = number;
    gl_Position = projectionMatrix * modelViewMatrix * vec4(place, 1.0);
  }`;

const CELL_FRAGMENT = `
  uniform bool picking;
  varying vec3 turned;
  varying vec2 face;
  varying vec4 shade;
  varying float named;
  void main() {
    if (picking) {
      float whole = floor(named + 0.5);
      gl_FragColor = vec4(mod(whole, 256.0), mod(floor(whole / 256.0), 256.0), floor(whole / 65536.0), 255.0) / 255.0;
      return;
    }
    float light = 0.62 + 0.38 * max(dot(normalize(turned), normalize(vec3(0.3, 0.7, 0.6))), 0.0);
    vec2 step = fwidth(face);
    vec2 away = min(face, 1.0 - face) / max(step, vec2(1e-6));
    float size = 1.0 / max(max(step.x, step.y), 1e-6);
    float rim = (1.0 - smoothstep(0.4, 1.4, min(away.x, away.y))) * smoothstep(5.0, 16.0, size);
    gl_FragColor = vec4(shade.rgb * light * (1.0 - 0.45 * rim), min(1.0, shade.a + 0.25 * rim * shade.a));
  }`;

/** Numbers a cell has in each attribute of the shader. */
const ATTRIBUTES = { low: 3, high: 3, tint: 4, sector: 1, number: 1 };
const DEPTHS = 1 << 14;

/** Returns the places of distances (Float32Array), the farthest first, to a 16,000th of their range. */
function orderByDistance(distances) {
  let [least, most] = [Infinity, -Infinity];
  for (const one of distances) {
    least = Math.min(least, one);
    most = Math.max(most, one);
  }
  const scale = (DEPTHS - 1) / Math.max(most - least, 1e-9);
  const keys = Uint16Array.from(distances, (one) => (most - one) * scale);
  const ends = new Uint32Array(DEPTHS + 1);
  for (const key of keys) ends[key + 1] += 1;
  for (let key = 0; key < DEPTHS; key += 1) ends[key + 1] += ends[key];
  const order = new Uint32Array(keys.length);
  keys.forEach((key, place) => (order[ends[key]++] = place));
  return order;
}

/** Draws hits of one shower; `set` says which, `sortFrom` orders them for a camera, the farthest first. */
class DrawnCells {
  constructor(cells, segments) {
    this.cells = cells;
    this.material = new THREE.ShaderMaterial({
      vertexShader: CELL_VERTEX,
      fragmentShader: CELL_FRAGMENT,
      uniforms: { picking: { value: false } },
      transparent: true,
    });
    this.cube = new THREE.BoxGeometry(1, 1, 1, segments, 1, 1);
    this.mesh = new THREE.Mesh(new THREE.BufferGeometry(), this.material);
    this.mesh.frustumCulled = false;
    this.hits = [];
  }

  /** Takes hits as {cell, energy, colour: [r, g, b], opacity}. */
  set(hits) {
    this.hits = hits;
    this.unsorted = {};
    const geometry = new THREE.InstancedBufferGeometry();
    geometry.index = this.cube.index;
    for (const name of ["position", "normal", "uv"]) geometry.setAttribute(name, this.cube.getAttribute(name));
    for (const [name, size] of Object.entries(ATTRIBUTES)) {
      this.unsorted[name] = new Float32Array(hits.length * size);
      geometry.setAttribute(name, new THREE.InstancedBufferAttribute(new Float32Array(hits.length * size), size));
    }
    hits.forEach((hit, place) => this.describe(hit, place));
    geometry.instanceCount = hits.length;
    this.mesh.geometry.dispose();
    this.mesh.geometry = geometry;
    this.mesh.visible = hits.length > 0;
  }

  describe({ cell, colour, opacity }, place) {
    const at = 3 * cell;
    this.unsorted.low.set(this.cells.low.subarray(at, at + 3), 3 * place);
    this.unsorted.high.set(this.cells.high.subarray(at, at + 3), 3 * place);
    this.unsorted.tint.set(colour, 4 * place);
    this.unsorted.tint[4 * place + 3] = opacity;
    this.unsorted.sector[place] = this.cells.sector[cell];
    this.unsorted.number[place] = place + 1;
  }

  sortFrom(camera) {
    if (!this.hits.length) return;
    const { middle } = this.cells;
    const { x, y, z } = camera.position;
    const distances = Float32Array.from(this.hits, ({ cell }) =>
      Math.hypot(middle[3 * cell] - x, middle[3 * cell + 1] - y, middle[3 * cell + 2] - z),
    );
    const order = orderByDistance(distances);
    for (const [name, size] of Object.entries(ATTRIBUTES)) {
      const attribute = this.mesh.geometry.getAttribute(name);
      const source = this.unsorted[name];
      for (let place = 0; place < order.length; place += 1) {
        for (let part = 0; part < size; part += 1) {
          attribute.array[size * place + part] = source[size * order[place] + part];
        }
      }
      attribute.needsUpdate = true;
    }
  }
}
