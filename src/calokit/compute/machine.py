"""The machine that computes, for provenance."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch


def describe_machine() -> dict[str, Any]:
    """Return processor, threads and versions, for provenance."""
    return {
        "threads": torch.get_num_threads(),
        "processor": processor_name(),
        "device": "cpu",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "calokit": version("calokit"),
    }


def processor_name() -> str:
    """Return the processor's model name."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
