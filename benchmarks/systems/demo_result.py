"""Keep what `make demo` reached.

`python -m benchmarks.systems.demo_result [demo]` reads its report and its run.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.record import RESULTS
from calokit.evaluation import read_scorecard
from calokit.inference import read_bundle

RESULT = RESULTS / "demo.json"


def main() -> None:
    """Write the demo's scorecard and training as one result."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "demo")
    card = read_scorecard(folder / "report" / "scorecard_trained_here.json")
    made = read_bundle(folder / "run" / "zdc_cascade.calokit").provenance
    content = {
        "test_showers": card.reference.showers,
        "training_minutes": made["seconds"] / 60,
        "steps": made["steps"],
        "threads": made["threads"],
        "processor": made["processor"],
        "milliseconds_per_shower": card.generated.milliseconds_per_shower,
        "measurements": {m.name: [m.value, m.error, m.floor, m.floor_error] for m in card.measurements},
    }
    RESULT.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
