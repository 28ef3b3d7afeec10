// Joins the event display's controls, captions and legend to its two views.
(() => {
  "use strict";
  /** Room for the number and unit of a tick, in pixels. */
  const TICK_WIDTH = 70;
  const host = document.querySelector("[data-display]");
  const content = document.getElementById("display-content");
  if (!host || !content) return;
  const find = (name) => host.querySelector(`[data-is="${name}"]`);
  const display = readDisplay(content.textContent);
  const canvas = find("canvas");
  const [leastShown, mostShown] = energyRange(
    display.events.flatMap((event) => [event.reference, ...event.generated]),
  );
  let views = null;

  const event = () => display.events[Number(find("event").value)];
  const sample = () => Number(find("sample")?.value ?? 0);
  const showers = () => [event().reference, event().generated[sample()]];

  function threshold() {
    const part = Number(find("threshold").value) / Number(find("threshold").max);
    // three digits, as its caption shows them
    return part === 0 ? 0 : Number((leastShown * (mostShown / leastShown) ** part).toPrecision(3));
  }

  function colourRange() {
    const [least, most] = energyRange(showers());
    return [Math.max(least, most * 1e-5), most];
  }

  function describeLayer(layer) {
    const section = display.sections.find((one) => layer >= one.first && layer <= one.last);
    return display.sections.length > 1 ? `${layer} (${section.name} ${layer - section.first})` : `${layer}`;
  }

  function readLayers() {
    const [first, second] = [Number(find("from").value), Number(find("to").value)];
    return [Math.min(first, second), Math.max(first, second)];
  }

  function update() {
    const [from, to] = readLayers();
    const least = threshold();
    const range = colourRange();
    const faded = find("fade").checked;
    const hits = showers().map((shower) =>
      chooseHits(shower, display.cells, { from, to, least }).map((hit) => {
        const energy = shower.energies[hit];
        const place = placeOnScale(energy, range);
        const colour = display.colours[Math.round(place * (display.colours.length - 1))];
        return { cell: shower.cells[hit], energy, colour, opacity: faded ? 0.1 + 0.9 * place ** 1.3 : 1 };
      }),
    );
    find("layers-are").textContent =
      from === to ? `layer ${describeLayer(from)}` : `layers ${describeLayer(from)} to ${describeLayer(to)}`;
    find("threshold-is").textContent = least ? `≥ ${writeEnergy(least)}` : `all above ${display.threshold} MeV`;
    caption("reference", hits[0], showers()[0]);
    caption("generated", hits[1], showers()[1]);
    find("generated-name").textContent = display.samples[sample()];
    drawLegend(range);
    views.setHits(hits);
  }

  function caption(side, hits, shower) {
    const energy = hits.reduce((sum, hit) => sum + hit.energy, 0);
    host.dataset[`drawn${side[0].toUpperCase()}${side.slice(1)}`] = hits.length;
    find(`${side}-count`).textContent = shower
      ? `${hits.length} of ${shower.hits} hits, ${writeEnergy(energy)} of ${writeEnergy(shower.energy)}`
      : "this sample lacks the event";
  }

  function drawLegend([least, most]) {
    const steps = [0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1].map((part) => {
      const colour = display.colours[Math.round(part * (display.colours.length - 1))];
      return `rgb(${colour.map((one) => Math.round(255 * one)).join(" ")})`;
    });
    find("scale").style.background = `linear-gradient(to right, ${steps.join(", ")})`;
    let free = -Infinity;
    const ticks = chooseTicks(least, most).map(({ energy, named }) => {
      const tick = document.createElement("span");
      const part = placeOnScale(energy, [least, most]);
      const fits = named && part * find("ticks").clientWidth >= free;
      if (fits) free = part * find("ticks").clientWidth + TICK_WIDTH;
      tick.textContent = fits ? writeEnergy(energy) : "";
      tick.style.left = `${100 * part}%`;
      return tick;
    });
    find("ticks").replaceChildren(...ticks);
    find("legend").setAttribute("aria-label", `colours from ${writeEnergy(least)} to ${writeEnergy(most)}, logarithmic`);
  }

  function placeLabels() {
    const { low, high } = views.whole;
    const size = [0, 1, 2].map((axis) => `${Number((high[axis] - low[axis]).toPrecision(4))} mm`);
    const depth = display.toScale ? `z: ${size[2]}` : "z: not to scale";
    const middle = (axis) => (low[axis] + high[axis]) / 2;
    const places = display.segments > 1
      ? {
          x: [[middle(0), low[1], low[2]], `diameter: ${size[0]}`],
          z: [[middle(0), low[1], middle(2)], depth],
        }
      : {
          x: [[middle(0), low[1], low[2]], `x: ${size[0]}`],
          y: [[high[0], middle(1), low[2]], `y: ${size[1]}`],
          z: [[low[0], low[1], middle(2)], depth],
        };
    const areas = views.areas();
    for (const [name, [point, text]] of Object.entries(places)) {
      const { x, y, shown } = views.project(point);
      areas.forEach((area, number) => {
        const label = find(`${name}${number}`);
        const inside = shown && x > 8 && x < area.w - 8 && y > 40 && y < area.h - 8;
        label.hidden = !inside;
        label.textContent = text;
        label.style.transform = `translate(${area.x + x}px, ${area.y + y}px) translate(-50%, -50%)`;
      });
    }
    find("generated-caption").style.transform = `translate(${areas[1].x}px, ${areas[1].y}px)`;
    const seen = [...views.camera.position.toArray(), ...views.controls.target.toArray()];
    host.dataset.camera = seen.map((one) => one.toFixed(3)).join(" ");
  }

  /** Returns the corners of the box about the hottest drawn cells that hold 98 % of the drawn energy. */
  function showerCorners() {
    const hits = views.sides.flatMap((side) => side.cells.hits).sort((one, two) => two.energy - one.energy);
    const whole = hits.reduce((sum, hit) => sum + hit.energy, 0);
    const points = [];
    let sum = 0;
    for (const hit of hits) {
      points.push(...display.cells.middle.subarray(3 * hit.cell, 3 * hit.cell + 3));
      sum += hit.energy;
      if (sum > 0.98 * whole) break;
    }
    if (!points.length) return display.outline;
    const bounds = views.boundsOf(points);
    const margin = 0.06 * Math.hypot(...[0, 1, 2].map((a) => views.whole.high[a] - views.whole.low[a]));
    const [low, high] = [bounds.low.map((v) => v - margin), bounds.high.map((v) => v + margin)];
    const corners = [...Array(8).keys()];
    return corners.flatMap((corner) => [0, 1, 2].map((axis) => (corner & (1 << axis) ? high[axis] : low[axis])));
  }

  function point(pointer) {
    const tip = find("tip");
    const box = canvas.getBoundingClientRect();
    const [x, y] = [pointer.clientX - box.left, pointer.clientY - box.top];
    const hit = pointer.buttons ? null : views.hitAt(x, y);
    tip.hidden = !hit;
    if (!hit) return;
    const [cx, cy, cz] = display.cells.middle.subarray(3 * hit.cell, 3 * hit.cell + 3);
    const layer = describeLayer(display.cells.layer[hit.cell]);
    const place = `x ${cx.toFixed(0)}, y ${cy.toFixed(0)}${display.toScale ? `, z ${cz.toFixed(0)}` : ""} mm`;
    tip.textContent = `${writeEnergy(hit.energy)} · layer ${layer} · ${place}`;
    const left = Math.min(x + 14, box.width - tip.offsetWidth - 6);
    tip.style.transform = `translate(${left}px, ${Math.max(4, y - 34)}px)`;
  }

  function pressKey(key) {
    const actions = {
      ArrowLeft: () => views.turn(-1, 0), ArrowRight: () => views.turn(1, 0),
      ArrowUp: () => views.turn(0, 1), ArrowDown: () => views.turn(0, -1),
      "+": () => views.zoom(0.88), "=": () => views.zoom(0.88), "-": () => views.zoom(1 / 0.88),
      0: () => views.frameAll(), Home: () => views.frameAll(),
    };
    const action = actions[key.key];
    if (!action || key.ctrlKey || key.altKey || key.metaKey) return;
    key.preventDefault();
    action();
  }

  function paint() {
    const style = getComputedStyle(host);
    views.setColours(style.getPropertyValue("--stage").trim(), style.getPropertyValue("--quiet").trim());
  }

  function begin() {
    try {
      views = new TwoViews(canvas, display);
    } catch {
      find("failure").hidden = false;
      find("stage").hidden = true;
      return;
    }
    views.onDraw = placeLabels;
    for (const name of ["sample", "from", "to", "threshold", "fade"]) find(name)?.addEventListener("input", update);
    find("event").addEventListener("input", () => (views.setBeam(event()), update()));
    find("reset").addEventListener("click", () => views.frameAll());
    find("zoom").addEventListener("click", () => views.frame(showerCorners(), false));
    canvas.addEventListener("pointermove", point);
    canvas.addEventListener("pointerleave", () => (find("tip").hidden = true));
    canvas.addEventListener("keydown", pressKey);
    views.setBeam(event());
    views.resize();
    views.frameAll();
    paint();
    update();
    host.dataset.ready = "yes";
  }

  // The graphics card is asked only when the display's page is first opened.
  new ResizeObserver(() => {
    if (!canvas.clientWidth || host.dataset.failed) return;
    if (views) {
      views.resize();
      drawLegend(colourRange());
    } else if (find("failure").hidden) begin();
  }).observe(canvas);
})();
