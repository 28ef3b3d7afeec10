"""Generator or baseline: both limits count, and a scorecard without both says nothing."""

from __future__ import annotations

import pytest

from calokit.bundles.standing import Standing, standing_of


def card(**measured: float) -> dict[str, object]:
    return {
        "measurements": {name.replace("__", "."): [value, 0.0, 0.0, 0.0] for name, value in measured.items()}
    }


@pytest.mark.parametrize(
    ("response", "resolution", "generator"),
    [(0.03, 0.10, True), (0.031, 0.01, False), (0.01, 0.11, False), (0.2, 1.2, False)],
)
def test_a_generator_keeps_both(response: float, resolution: float, generator: bool) -> None:
    found = standing_of(card(response__max_deviation=response, resolution__mean_deviation=resolution))
    assert found == Standing(response, resolution)
    assert found.is_generator == generator
    assert found.words.startswith("generator (" if generator else "baseline (")


def test_nothing_is_said_of_what_was_not_measured() -> None:
    assert standing_of(None) is None
    assert standing_of({"seed": 1, "metrics": {}}) is None
    assert standing_of(card(response__max_deviation=0.01)) is None
