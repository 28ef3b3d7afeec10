"""The machine that computes: its processor, and versions, for provenance."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

CPU_INFORMATION = Path("/proc/cpuinfo")


def describe_machine() -> dict[str, Any]:
    """Return processor, threads and versions, for provenance."""
    return {
        "threads": torch.get_num_threads(),
        "processor": processor_name(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "calokit": version("calokit"),
    }


def processor_name() -> str:
    """Return the processor's model name."""
    return _told("model name") or platform.processor() or platform.machine()


def processor_flags() -> frozenset[str]:
    """Return what the processor can do, in Linux's words (`avx2`, `amx_tile`), if that is told."""
    return frozenset(_told("flags").split())


def _told(name: str) -> str:
    """Return what Linux tells of the first processor under a name, or nothing."""
    try:
        with CPU_INFORMATION.open() as lines:
            return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), "")
    except OSError:
        return ""
