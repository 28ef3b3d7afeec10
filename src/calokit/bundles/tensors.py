"""Safetensors files whose only metadata is JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from calokit.errors import RunError
from calokit.files import say_no_file, write_bytes


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, Any]) -> None:
    """Write a safetensors file whose only metadata entry is JSON, atomically."""
    told = {"calokit": json.dumps(metadata, allow_nan=False)}
    write_bytes(path, save(dict(tensors), metadata=told))  # save_file would keep it from all other users


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors and JSON metadata of a safetensors file that calokit wrote.

    Raises:
        RunError: The file is missing, damaged, or has no calokit metadata.
    """
    if not path.is_file():
        raise RunError(say_no_file(path))
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError):
        raise RunError(
            f"{path}: not a readable safetensors file; it is damaged or of another kind."
        ) from None
    try:
        return tensors, json.loads(metadata["calokit"])
    except (KeyError, json.JSONDecodeError):
        raise RunError(f"{path}: a safetensors file without calokit's metadata.") from None
