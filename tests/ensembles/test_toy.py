"""The toy of clusters: one small GAN misses some, an ensemble finds more."""

from __future__ import annotations

import numpy as np

from benchmarks.models.adagan_toy import FOUND, MODES, Clusters, add_seeds, build


def test_the_figures_of_the_toy() -> None:
    clusters = Clusters.draw(1)
    assert clusters.modes_found(clusters.points) == 1.0
    assert clusters.coverage(clusters.points) > 0.9
    one = clusters.points[np.linalg.norm(clusters.points - clusters.centres[0], axis=1) < 1.0]
    assert clusters.modes_found(one) <= 2 / MODES
    assert clusters.coverage(one) < 0.3
    assert 0 < FOUND < 1


def test_an_ensemble_finds_modes_that_its_first_member_misses() -> None:
    clusters = Clusters.draw(2)
    stages = build(clusters, seed=2, members=3, steps=400, reweighted=True)
    found = [clusters.modes_found(stage.made) for stage in stages]
    assert found[0] < 1.0
    assert found[-1] > found[0]
    assert not np.allclose(stages[1].weights, stages[0].weights)
    assert np.isclose(stages[1].weights.sum(), 1.0)


def test_seeds_can_be_added_to_a_record() -> None:
    rng = np.random.default_rng(1)
    pairs = [(float(one), float(other)) for one, other in rng.random((6, 2))]
    (whole,) = add_seeds([], 0, {("star", 2): pairs})
    rows = add_seeds(add_seeds([], 0, {("star", 2): pairs[:4]}), 4, {("star", 2): pairs[4:5]})
    (added,) = add_seeds(rows, 5, {("star", 2): pairs[5:]})
    assert added.keys() == whole.keys()
    for name in ("modes found", "coverage"):
        assert np.isclose(added[name], whole[name])
        assert np.isclose(added[f"{name}, error"], whole[f"{name}, error"])
    assert np.isclose(whole["coverage, error"], np.std([one[1] for one in pairs], ddof=1) / 6**0.5)
