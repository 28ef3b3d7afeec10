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
      gl_FragColor = vec4(mod(named, 256.0), floor(named / 256.0), 0.0, 255.0) / 255.0;
      return;
    }
    float light = 0.62 + 0.38 * max(dot(normalize(turned), normalize(vec3(0.3, 0.7, 0.6))), 0.0);
    vec2 step = fwidth(face);
    vec2 away = min(face, 1.0 - face) / max(step, vec2(1e-6));
    float size = 1.0 / max(max(step.x, step.y), 1e-6);
    float rim = (1.0 - smoothstep(0.4, 1.4, min(away.x, away.y))) * smoothstep(5.0, 16.0, size);
    gl_FragColor = vec4(shade.rgb * light * (1.0 - 0.45 * rim), min(1.0, shade.a + 0.25 * rim * shade.a));
  }`;

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
    const geometry = new THREE.InstancedBufferGeometry();
    geometry.index = this.cube.index;
    for (const name of ["position", "normal", "uv"]) geometry.setAttribute(name, this.cube.getAttribute(name));
    for (const [name, size] of [["low", 3], ["high", 3], ["tint", 4], ["sector", 1], ["number", 1]]) {
      geometry.setAttribute(name, new THREE.InstancedBufferAttribute(new Float32Array(hits.length * size), size));
    }
    geometry.instanceCount = hits.length;
    this.mesh.geometry.dispose();
    this.mesh.geometry = geometry;
    this.mesh.visible = hits.length > 0;
  }

  sortFrom(camera) {
    if (!this.hits.length) return;
    const { middle } = this.cells;
    const { x, y, z } = camera.position;
    const distance = this.hits.map(({ cell }) =>
      Math.hypot(middle[3 * cell] - x, middle[3 * cell + 1] - y, middle[3 * cell + 2] - z),
    );
    const order = this.hits.map((_, hit) => hit).sort((one, two) => distance[two] - distance[one]);
    order.forEach((hit, place) => this.write(hit, place));
    for (const name of ["low", "high", "tint", "sector", "number"]) {
      this.mesh.geometry.getAttribute(name).needsUpdate = true;
    }
  }

  write(hit, place) {
    const { cell, colour, opacity } = this.hits[hit];
    const of = (name) => this.mesh.geometry.getAttribute(name).array;
    const at = 3 * cell;
    of("low").set(this.cells.low.subarray(at, at + 3), 3 * place);
    of("high").set(this.cells.high.subarray(at, at + 3), 3 * place);
    of("tint").set([...colour, opacity], 4 * place);
    of("sector")[place] = this.cells.sector[cell];
    of("number")[place] = hit + 1;
  }
}
