// Reads the content of the event display, and chooses which hits are drawn and in which colour.
"use strict";

/** Decodes base64 to an array of numbers (little-endian, as every browser's machine has them). */
function unpackNumbers(text, Kind) {
  return new Kind(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer);
}

function unpackShower(shower) {
  if (shower === null) return null;
  return {
    ...shower,
    cells: unpackNumbers(shower.cells, Uint32Array),
    energies: unpackNumbers(shower.energies, Float32Array),
  };
}

/** Returns the display's content with its arrays decoded and the middle of each cell in x, y, z (mm). */
function readDisplay(text) {
  const content = JSON.parse(text);
  const cells = {
    low: unpackNumbers(content.cells.low, Float32Array),
    high: unpackNumbers(content.cells.high, Float32Array),
    layer: unpackNumbers(content.cells.layer, Uint32Array),
    sector: unpackNumbers(content.cells.sector, Uint8Array),
  };
  cells.middle = middlesOf(cells);
  const events = content.events.map((event) => ({
    ...event,
    reference: unpackShower(event.reference),
    generated: event.generated.map(unpackShower),
  }));
  return { ...content, cells, events, outline: unpackNumbers(content.outline, Float32Array) };
}

function middlesOf({ low, high, sector }) {
  const middle = new Float32Array(low.length);
  for (let cell = 0; cell < sector.length; cell += 1) {
    const at = 3 * cell;
    const [first, second, depth] = [0, 1, 2].map((axis) => (low[at + axis] + high[at + axis]) / 2);
    const whole = high[at] - low[at] > 6.28;
    const arm = whole ? 0 : second;
    middle[at] = sector[cell] ? arm * Math.cos(first) : first;
    middle[at + 1] = sector[cell] ? arm * Math.sin(first) : second;
    middle[at + 2] = depth;
  }
  return middle;
}

/** Returns the least and the largest energy of a hit of some showers, in MeV. */
function energyRange(showers) {
  let least = Infinity;
  let most = 0;
  for (const shower of showers) {
    for (const energy of shower?.energies ?? []) {
      least = Math.min(least, energy);
      most = Math.max(most, energy);
    }
  }
  return most > 0 ? [least, most] : [0.1, 1];
}

/** Returns the places of the hits in layers `from` to `to` with at least the least energy (MeV). */
function chooseHits(shower, cells, { from, to, least }) {
  const chosen = [];
  for (let hit = 0; hit < (shower?.cells.length ?? 0); hit += 1) {
    const layer = cells.layer[shower.cells[hit]];
    if (layer >= from && layer <= to && shower.energies[hit] >= least) chosen.push(hit);
  }
  return chosen;
}

/** Returns where an energy stands on a logarithmic scale, from 0 to 1. */
function placeOnScale(energy, [least, most]) {
  if (most <= least) return 1;
  return Math.min(1, Math.max(0, Math.log(energy / least) / Math.log(most / least)));
}

/** Writes an energy in MeV with its unit, to three digits. */
function writeEnergy(energy) {
  const [value, unit] = energy >= 1000 ? [energy / 1000, "GeV"] : [energy, "MeV"];
  return `${Number(value.toPrecision(3))} ${unit}`;
}

/** Returns the ticks of a logarithmic scale as {energy, named}: whole powers of ten, on short scales 2 and 5 too. */
function chooseTicks(least, most) {
  const decades = Math.log10(most / least);
  const named = decades < 0.7 ? [1, 2, 3, 4, 5, 6, 8] : decades < 2.2 ? [1, 2, 5] : [1];
  const ticks = [];
  for (let power = Math.floor(Math.log10(least)); power <= Math.log10(most); power += 1) {
    for (let digit = 1; digit < 10; digit += 1) {
      const energy = digit * 10 ** power;
      if (energy >= 0.9999 * least && energy <= 1.0001 * most) ticks.push({ energy, named: named.includes(digit) });
    }
  }
  return ticks;
}
