"""Which showers of a file may train, validate or test: one rule, applied wherever a file is read."""

from __future__ import annotations

from enum import StrEnum

from calokit.errors import SplitError, suggest_near_miss


class Split(StrEnum):
    """A part of a shower file with one purpose."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"
    ALL = "all"


def parse_split(name: str) -> Split:
    """Return the split of that name.

    Raises:
        SplitError: There is none of that name.
    """
    try:
        return Split(name)
    except ValueError:
        raise SplitError(f"no split {name!r}. {suggest_near_miss(name, map(str, Split))}") from None


def split_range(showers: int, split: Split, meant_for: Split | None) -> tuple[int, int]:
    """Return the first and the past-the-last shower of a split, in file order.

    A file that is not meant for one purpose is cut 0.6/0.2/0.2 into train, validation and test. A file meant
    for training is cut 0.9/0.1 into train and validation; one meant for validation or test is wholly that.

    Args:
        showers: How many showers the file holds.
        split: The split asked for.
        meant_for: The file's own `split` attribute, or None.

    Raises:
        SplitError: The file has no showers for that purpose.

    Example:
        >>> split_range(100, Split.VALIDATION, None), split_range(100, Split.VALIDATION, Split.TRAIN)
        ((60, 80), (90, 100))
    """
    if split is Split.ALL:
        return 0, showers
    if meant_for is None or meant_for is Split.ALL:
        first, second = round(0.6 * showers), round(0.8 * showers)
        cuts = {Split.TRAIN: (0, first), Split.VALIDATION: (first, second), Split.TEST: (second, showers)}
    elif meant_for is Split.TRAIN:
        first = round(0.9 * showers)
        cuts = {Split.TRAIN: (0, first), Split.VALIDATION: (first, showers)}
    else:
        cuts = {meant_for: (0, showers)}
    if split not in cuts:
        raise SplitError(
            f"the file is meant for {meant_for} and has no {split} showers; "
            f"it offers: {', '.join(cuts)}, all."
        )
    return cuts[split]
