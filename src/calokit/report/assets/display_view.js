// Two views on one canvas, the reference's shower and the generated one, seen by one shared camera.
"use strict";

const FIRST_LOOK = [-0.82, 0.42, -0.62];
const TURN = Math.PI / 36;
/** Height of a view's caption and as much below, in pixels. */
const CAPTION = 84;

function drawLines(points, material) {
  const geometry = new THREE.BufferGeometry();
  geometry.setAttribute("position", new THREE.Float32BufferAttribute(points, 3));
  return new THREE.LineSegments(geometry, material);
}

class TwoViews {
  constructor(canvas, display) {
    this.canvas = canvas;
    this.display = display;
    this.renderer = new THREE.WebGLRenderer({ canvas, antialias: true, preserveDrawingBuffer: true });
    this.renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    this.camera = new THREE.PerspectiveCamera(32, 1, 1, 1e5);
    this.controls = new THREE.OrbitControls(this.camera, canvas);
    this.controls.addEventListener("change", () => this.drawSoon());
    this.lines = new THREE.LineBasicMaterial({ transparent: true, opacity: 0.55 });
    this.beams = new THREE.LineBasicMaterial({ color: 0xe0622d });
    this.sides = [0, 1].map(() => this.makeSide());
    this.target = new THREE.WebGLRenderTarget(1, 1);
    this.whole = this.boundsOf(display.outline);
    this.arrow = 0.13 * Math.hypot(...[0, 1, 2].map((axis) => this.whole.high[axis] - this.whole.low[axis]));
    this.onDraw = () => {};
  }

  makeSide() {
    const scene = new THREE.Scene();
    const cells = new DrawnCells(this.display.cells, this.display.segments);
    const beam = drawLines(new Float32Array(0), this.beams);
    scene.add(drawLines(this.display.outline, this.lines), beam, cells.mesh);
    return { scene, cells, beam };
  }

  boundsOf(points) {
    const low = [Infinity, Infinity, Infinity];
    const high = [-Infinity, -Infinity, -Infinity];
    points.forEach((value, place) => {
      low[place % 3] = Math.min(low[place % 3], value);
      high[place % 3] = Math.max(high[place % 3], value);
    });
    return { low, high };
  }

  /** Lets the incident particle be an arrow that ends where it enters the front face. */
  setBeam({ position, direction }) {
    const flight = new THREE.Vector3(...(direction ?? [0, 0, 1])).normalize();
    const end = new THREE.Vector3(position?.[0] ?? 0, position?.[1] ?? 0, this.whole.low[2]);
    const points = [end.clone().addScaledVector(flight, -this.arrow), end];
    for (const aside of [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]]) {
      const barb = end.clone().addScaledVector(flight, -0.2 * this.arrow);
      points.push(end, barb.addScaledVector(new THREE.Vector3(...aside), 0.07 * this.arrow));
    }
    for (const side of this.sides) {
      side.beam.geometry.dispose();
      side.beam.geometry = new THREE.BufferGeometry().setFromPoints(points);
    }
  }

  /** Sets the hits of both sides, reference first. */
  setHits(hits) {
    this.sides.forEach((side, number) => side.cells.set(hits[number]));
    this.draw();
  }

  setColours(ground, line) {
    this.renderer.setClearColor(new THREE.Color(ground));
    this.lines.color.set(line);
    this.draw();
  }

  /** Returns the rectangles of both views in pixels of the page, counted from the upper left corner. */
  areas() {
    const [width, height] = [this.canvas.clientWidth, this.canvas.clientHeight];
    const stacked = width < 1.1 * height;
    const [w, h] = stacked ? [width, height / 2] : [width / 2, height];
    return [{ x: 0, y: 0, w, h }, { x: stacked ? 0 : w, y: stacked ? h : 0, w, h }];
  }

  resize() {
    const { clientWidth, clientHeight } = this.canvas;
    if (!clientWidth || !clientHeight) return;
    this.renderer.setSize(clientWidth, clientHeight, false);
    const [{ w, h }] = this.areas();
    this.camera.aspect = w / h;
    this.camera.updateProjectionMatrix();
    this.draw();
  }

  /** Shows the whole detector and the arrow before it, from the first direction. */
  frameAll() {
    const arrow = this.sides[0].beam.geometry.getAttribute("position");
    this.frame([...this.display.outline, ...(arrow?.array ?? [])], true);
  }

  /** Moves the camera until points [x, y, z, x, ...] fill the view; from its first direction if `anew`. */
  frame(points, anew) {
    const look = anew
      ? new THREE.Vector3(...FIRST_LOOK).normalize()
      : this.camera.position.clone().sub(this.controls.target).normalize();
    const right = new THREE.Vector3().crossVectors(this.camera.up, look).normalize();
    const upward = new THREE.Vector3().crossVectors(look, right);
    const tangent = Math.tan((this.camera.fov * Math.PI) / 360);
    const { low, high } = this.boundsOf(points);
    const middle = new THREE.Vector3(...low).add(new THREE.Vector3(...high)).multiplyScalar(0.5);
    const away = [];
    for (let at = 0; at < points.length; at += 3) {
      away.push(new THREE.Vector3(points[at], points[at + 1], points[at + 2]).sub(middle));
    }
    const within = (axis) => {
      const places = away.map((one) => one.dot(axis));
      return (Math.min(...places) + Math.max(...places)) / 2;
    };
    const aside = right.clone().multiplyScalar(within(right)).addScaledVector(upward, within(upward));
    middle.add(aside);
    const { h } = this.areas()[0];
    const roomForCaption = h / Math.max(h - CAPTION, 0.5 * h);
    let distance = 0;
    for (const one of away) {
      one.sub(aside);
      const across = Math.abs(one.dot(right)) / (tangent * this.camera.aspect);
      const up = Math.abs(one.dot(upward)) / tangent;
      distance = Math.max(distance, 1.1 * Math.max(across, up * roomForCaption) + one.dot(look));
    }
    this.camera.position.copy(middle).addScaledVector(look, distance);
    this.camera.near = 0.005 * distance;
    this.camera.far = 100 * distance;
    this.camera.updateProjectionMatrix();
    this.controls.target.copy(middle);
    this.controls.update();
    this.draw();
  }

  turn(horizontal, vertical) {
    const arm = this.camera.position.clone().sub(this.controls.target);
    const place = new THREE.Spherical().setFromVector3(arm);
    place.theta -= horizontal * TURN;
    place.phi = Math.min(Math.PI - 0.01, Math.max(0.01, place.phi - vertical * TURN));
    this.camera.position.copy(this.controls.target).add(arm.setFromSpherical(place));
    this.controls.update();
  }

  zoom(factor) {
    this.camera.position.sub(this.controls.target).multiplyScalar(factor).add(this.controls.target);
    this.controls.update();
  }

  /** Draws with the next picture of the browser, once for all changes until then. */
  drawSoon() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.draw();
    });
  }

  draw() {
    const height = this.canvas.clientHeight;
    if (!height) return;
    this.renderer.setScissorTest(true);
    this.camera.updateMatrixWorld();
    this.areas().forEach(({ x, y, w, h }, number) => {
      const { scene, cells } = this.sides[number];
      cells.sortFrom(this.camera);
      this.renderer.setViewport(x, height - y - h, w, h);
      this.renderer.setScissor(x, height - y - h, w, h);
      this.renderer.render(scene, this.camera);
    });
    this.onDraw();
  }

  /** Returns the drawn hit under a point of the canvas, or null. */
  hitAt(x, y) {
    const number = this.areas().findIndex((a) => x >= a.x && x < a.x + a.w && y >= a.y && y < a.y + a.h);
    if (number < 0) return null;
    const area = this.areas()[number];
    const { scene, cells } = this.sides[number];
    const before = new THREE.Color();
    this.renderer.getClearColor(before);
    this.camera.setViewOffset(area.w, area.h, x - area.x, y - area.y, 1, 1);
    cells.material.uniforms.picking.value = true;
    cells.material.transparent = false;
    this.lines.visible = this.beams.visible = false;
    this.renderer.setRenderTarget(this.target);
    this.renderer.setScissorTest(false);
    this.renderer.setClearColor(0x000000, 0);
    this.renderer.clear();
    this.renderer.render(scene, this.camera);
    const pixel = new Uint8Array(4);
    this.renderer.readRenderTargetPixels(this.target, 0, 0, 1, 1, pixel);
    this.renderer.setRenderTarget(null);
    this.renderer.setClearColor(before, 1);
    this.lines.visible = this.beams.visible = true;
    cells.material.transparent = true;
    cells.material.uniforms.picking.value = false;
    this.camera.clearViewOffset();
    return cells.hits[pixel[0] + 256 * pixel[1] + 65536 * pixel[2] - 1] ?? null;
  }

  /** Returns where a point of space (mm) lies in the first view, in pixels from its upper left corner. */
  project(point) {
    const [{ w, h }] = this.areas();
    const seen = new THREE.Vector3(...point).project(this.camera);
    return { x: ((seen.x + 1) / 2) * w, y: ((1 - seen.y) / 2) * h, shown: seen.z < 1 };
  }
}
