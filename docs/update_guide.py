"""Write what the run behind docs/your_own_detector.md found into the page: `python docs/update_guide.py`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from page_tables import NETWORKS, NOT_YET, READ_OUT, TREES, fill, markdown, plain, result

PAGE = Path(__file__).resolve().parent / "your_own_detector.md"
AREAS = {
    TREES: "boosted trees on all observables",
    READ_OUT: "the same, read out",
    NETWORKS[0]: "network on cells",
    NETWORKS[1]: "network on observables",
}


def found() -> str:
    """Return the areas beside their floors, and what was spent on them."""
    record = result("own_detector")
    if record is None:
        return NOT_YET
    facts = record["settings"]
    table = [["area under the ROC curve (0.5: cannot be told apart)", "generated", "Geant4, other seeds"]]
    for name, words in AREAS.items():
        if name in facts["areas"]:
            value, error, floor, floor_error = facts["areas"][name]
            table.append([words, plain(value, error), plain(floor, floor_error)])
    words = (
        f"{facts['showers']['showers']:,} showers to train on and {facts['showers']['test']:,} to judge by, "
        f"{facts['training_minutes']:.0f} minutes of training ({facts['training_cpu_minutes']:.1f} of the "
        f"processor, {facts['training_steps']:,} steps), {facts['milliseconds_per_shower']:.2g} ms a shower "
        f"on one core; cells at or below {facts['threshold_mev']:g} MeV count as empty. Measured on "
        f"{record['date'][:10]}, on a busy {record['processor'].replace('(R)', '')}."
    )
    return f"{markdown(table)}\n\n{words}"


TABLES: dict[str, Callable[[], str]] = {"found": found}


if __name__ == "__main__":
    PAGE.write_text(fill(PAGE.read_text(), TABLES))
