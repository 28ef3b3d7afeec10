"""Runs CaloChallenge's evaluate.py without LaTeX: `python peer_evaluate.py CODE/evaluate.py ARGUMENTS`."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt


def main() -> None:
    """Start the script as its own command line does."""
    plt.switch_backend("Agg")
    plain: Callable[..., None] = plt.rc

    def without_text(group: str, **settings: Any) -> None:
        if group != "text":
            plain(group, **settings)

    plt.rc = without_text
    script = Path(sys.argv[1]).resolve()
    sys.argv = [str(script), *sys.argv[2:]]
    sys.path.insert(0, str(script.parent))
    runpy.run_path(str(script), run_name="__main__")


if __name__ == "__main__":
    main()
