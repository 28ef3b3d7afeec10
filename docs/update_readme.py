"""Write the README's results and picture from what the benchmarks measured: `python docs/update_readme.py`.

Reads benchmarks/results/*.json, and for the picture generates a few showers with the shipped bundle.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from page_tables import NETWORKS, READ_OUT, TREES, plain, processor_time

from calokit.progress import no_progress

HOME = Path(__file__).resolve().parent.parent
RESULTS = HOME / "benchmarks" / "results"
BEGIN, END = "<!-- results:begin (docs/update_readme.py writes what stands here) -->", "<!-- results:end -->"


def read(name: str) -> dict[str, Any]:
    """Read one result."""
    content: dict[str, Any] = json.loads((RESULTS / name).read_text())
    return content


SURROGATES = ("zdc_cascade", "zdc_flow")
"""Those of the first table, on the same test file."""
HEAD = "| showers | a class | trees | trees, read out | network, cells | network, observables | ms a shower |"


def row(
    name: str, showers: int, found: dict[str, list[float]], milliseconds: str, floor: bool = False
) -> str:
    """Write one row of the table: what classifiers found, or their floor."""
    part = slice(2, 4) if floor else slice(0, 2)
    cells = [plain(*found[key][part]) if key in found else "" for key in (TREES, READ_OUT, *NETWORKS)]
    return f"| {name} | {showers:,} | {' | '.join(cells)} | {milliseconds} |"


def surrogate_rows(names: Sequence[str]) -> list[str]:
    """Return a row for each shipped surrogate whose scorecard is there."""
    rows = []
    for name in names:
        if (RESULTS / f"scorecard_{name}.json").is_file():
            card = read(f"scorecard_{name}.json")
            time, _ = processor_time(name)
            rows.append(row(f"`zoo/{name}.calokit`", card["test_showers"], card["measurements"], time))
    return rows


def results_text() -> str:
    """Return the results as Markdown tables."""
    flow, demo = read("scorecard_zdc_flow.json"), read("demo.json")
    speed = read("generation_speed_zdc_flow.json")
    _, geant4 = processor_time("zdc_cascade")
    _, flows_geant4 = processor_time("zdc_flow")
    count = flow["test_showers"]
    trained = (
        f"`make demo`, {demo['training_minutes']:.0f} min on {demo['processor']} ({demo['steps']:,} steps)"
    )
    rows = [
        "Area under the ROC curve of classifiers that tell generated from Geant4 showers, with energy,",
        "impact and direction of the incident particle among their inputs (0.5: they cannot): boosted trees",
        "on all observables, neighbours and spectral lines among them, raw and read out (each cell smeared",
        "by 3 % of its energy and by noise of 0.3 thresholds, cut at 1.5 thresholds), and a network of two",
        "layers of 512, mean of three trainings (neutrons: one). The largest is the headline of a",
        "scorecard. Times are of the processor, one core.",
        "Positrons in the ZDC crystals:",
        "",
        HEAD,
        "|---|---|---|---|---|---|---|",
        row("Geant4 (the floor: other seeds)", count, flow["measurements"], geant4, floor=True),
        *surrogate_rows(SURROGATES),
        row(trained, demo["test_showers"], demo["measurements"], "the same network"),
    ]
    for name, found in read("zdc_damages.json")["damages"].items():
        areas = {NETWORKS[0]: found["auc_low"], NETWORKS[1]: found["auc_high"]}
        rows.append(row(f"Geant4, damaged: {name}", count, areas, ""))
    cascades = sorted(path.stem for path in (HOME / "zoo").glob("*_cascade.calokit"))
    rows += [
        "",
        "The damaged rows show what the two networks see at this size (what the trees see is in",
        "[metrics.md](docs/metrics.md)). Cascades of other detectors, on test files of other seeds (CLIC's,",
        "LHCb's and the neutrons' our own; [with their floors](docs/cascade.md)):",
        "",
        HEAD,
        "|---|---|---|---|---|---|---|",
        *surrogate_rows([name for name in cascades if name not in SURROGATES]),
        "",
        "By its scorecard `zdc_neutrons_cascade` is a baseline, no generator yet, and its Geant4 has",
        "approximate neutron cross sections. Measured by `python -m benchmarks.systems.scorecard`,",
        "`benchmarks.metrics.zdc_damages`, `benchmarks.systems.demo_result` (after `make demo`) and",
        f"`benchmarks.speed.generation_speed`. Times on {processors(cascades, speed['processor'])};",
        f"in the flow's run Geant4 took {flows_geant4} ms in the ZDC's crystals.",
    ]
    return "\n".join([*rows, "", *reconstruction_rows()])


def processors(bundles: list[str], most: str) -> str:
    """Return on which processor bundles were timed, and which of them on another."""
    found = {name: read(f"generation_speed_{name}.json")["processor"] for name in bundles}
    others: dict[str, list[str]] = {}
    for name, other in found.items():
        if other != most:
            others.setdefault(other, []).append(f"`{name}`")
    return ", ".join([most, *(f"of {', '.join(names)} on {other}" for other, names in others.items())])


def reconstruction_rows() -> list[str]:
    """Return what the shipped energy reconstruction reaches, beside the best classical method."""
    rows = [
        "Energy of positrons in the LUXE ECAL-P: RMS error over that of the calibrated sum, averaged over",
        "the energies; largest bias at one energy (`luxe_reconstruction.py --judge`, [docs](docs/luxe.md)).",
        "",
        "| set, energies | showers | `zoo/luxe_energy.calokit` | best classical | below it | largest bias |",
        "|---|---|---|---|---|---|",
    ]
    sets = {
        "fresh_test": "A, 3 to 20 GeV, fresh showers",
        "reference_b_test": "B, 2.5 to 15 GeV, half of these energies not trained on",
    }
    for name, title in sets.items():
        found = read(f"luxe_reconstruction_{name}.json")
        facts, showers = found["settings"], sum(one["showers"] for one in found["rows"])
        cells = [plain(*facts[key][:2]) for key in ("rms_ratio", "best_classical")]
        sigma, bias = f"{facts['significance']:.0f} σ", f"{facts['largest_bias_percent']:.2f} %"
        rows.append(f"| {title} | {showers:,} | {' | '.join(cells)} | {sigma} | {bias} |")
    return rows


def draw_picture() -> None:
    """Draw Geant4 beside generated showers with the score of the full test."""
    from calokit.evaluation import EvaluationSettings, evaluate_showers
    from calokit.inference import generate_like, read_bundle
    from calokit.report.figures.catalogue import draw_hero, save_figure
    from calokit.showers import open_showers

    bundle = read_bundle(HOME / "zoo" / "zdc_cascade.calokit")
    truth = open_showers(HOME / "samples" / "zdc_ecal_positrons_test.h5").head(2000)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "zdc_cascade.h5"
        generate_like(bundle, truth, path, 1, no_progress)
        card = evaluate_showers(
            truth, open_showers(path), settings=EvaluationSettings(classifier_seeds=0, gallery_events=6)
        )
    full = read("scorecard_zdc_cascade.json")["measurements"][TREES]
    score = {"name": TREES, "title": "classifier AUC, boosted trees"} | dict(
        zip(("value", "error", "floor", "floor_error"), full, strict=True)
    )
    content = card.to_mapping()
    content["measurements"] = [score, *(one for one in content["measurements"] if one["name"] != TREES)]
    hero = draw_hero(type(card).from_mapping(content, "picture"))
    save_figure(hero, HOME / "docs" / "images" / "hero.png")


def main() -> None:
    """Write results and picture."""
    readme = HOME / "README.md"
    text = readme.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    readme.write_text(f"{before}{BEGIN}\n{results_text()}\n{END}{after}")
    draw_picture()


if __name__ == "__main__":
    main()
