"""Writing whole files or nothing."""

from __future__ import annotations

import os
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old content or the new, never a part.

    Args:
        path: Where; its folder is made where it is missing.
        content: The bytes of the whole file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def file_word(label: str) -> str:
    """Return a label with everything but letters, digits, `-` and `_` replaced, for a file name.

    Example:
        >>> file_word("classifier.auc low")
        'classifier_auc_low'
    """
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in label)
