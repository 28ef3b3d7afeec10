from __future__ import annotations

import numpy as np
import pytest

from calokit.evaluation.classifiers.judgement import (
    JudgedTables,
    TreeJudge,
    compare_observables,
    words_of,
)
from calokit.evaluation.samples.observables import ObservableCalculator
from calokit.evaluation.samples.readout_tables import ReadOutSamples
from calokit.evaluation.samples.streams import plan_comparison
from calokit.evaluation.samples.truth_memory import TruthMemory
from calokit.evaluation.topology.damages import shuffle_neighbours
from calokit.evaluation.topology.features import FeatureMaker
from calokit.showers import open_showers
from calokit.showers.damages import scale_energies
from calokit.showers.digitisation import Digitisation
from quick_judges import quick_judges
from toy_showers import toy_showers, write_showers

THRESHOLD = 20.0


def correlated(seed, events=600):
    """Toy showers whose neighbouring cells fluctuate together along the columns."""
    showers = toy_showers(seed, events)
    noise = np.random.default_rng([seed, 9]).normal(0.0, 0.35, (events, 20, 21))
    together = np.exp(noise[:, :, 1:] + noise[:, :, :-1]).reshape(events, 400)
    showers.energies[:] = showers.energies * together
    return showers.with_threshold(THRESHOLD)


@pytest.fixture(scope="module")
def tables():
    maker = FeatureMaker(ObservableCalculator(toy_showers(1, 1).detector, THRESHOLD))
    showers = [correlated(seed) for seed in (1, 2, 3)]
    showers[1] = shuffle_neighbours(showers[1], THRESHOLD, 5)
    return JudgedTables(*(maker(sample) for sample in showers))


def test_lost_neighbour_correlations_are_seen_by_topology_and_not_by_totals(tables):
    with quick_judges(telling=6):
        measurements, telling = TreeJudge(1).judge(tables, TruthMemory(), "classifier", "")
    found = {m.name: m for m in measurements}
    assert found["classifier.auc_boosted"].deviation > 5.0
    assert abs(found["classifier.auc_boosted"].floor - 0.5) < 4 * found["classifier.auc_boosted"].floor_error
    assert found["classifier_group.topology"].deviation > 5.0
    assert found["classifier_group.totals"].deviation < 3.5
    assert found["classifier_group.topology"].topic == "topology"
    assert telling[0].startswith("pair_")
    assert words_of(telling[0]) in found["classifier.auc_boosted"].note


def test_distributions_of_topology_stand_beside_their_floors(tables):
    measurements, spectra = compare_observables(tables, ["hits_with_2_neighbours"])
    names = [m.name for m in measurements]
    assert "separation.topology_isolated_hits" in names
    assert "separation.topology_hits_with_2_neighbours" not in names
    assert spectra[-1].name == "topology_hits_with_2_neighbours"
    assert sum(spectra[0].reference) * (spectra[0].edges[1] - spectra[0].edges[0]) == pytest.approx(1.0)


def test_a_readout_hides_what_it_cannot_resolve(tmp_path):
    paths = [write_showers(tmp_path / f"{seed}.h5", toy_showers(seed, 400)) for seed in (1, 2, 3)]
    files = [open_showers(path) for path in paths]
    comparison = plan_comparison(files[0], files[1], files[2])
    readout = Digitisation(noise=4.0, threshold=20.0)
    positions = np.arange(0, 400, 2)
    done = []
    found = ReadOutSamples(comparison, positions, readout, 1).tabulate(done.append)
    again = ReadOutSamples(comparison, positions, readout, 1).tabulate(lambda _: None)
    other = ReadOutSamples(comparison, positions, readout, 2).tabulate(lambda _: None)
    assert done[-1] == 1.0
    assert found.reference.values.shape[0] == 200
    assert np.array_equal(found.generated.values, again.generated.values)
    assert not np.array_equal(found.generated.values, other.generated.values)
    # no hit lies below the cut, and the noise makes next to none in empty cells
    hits = found.reference.values[:, found.reference.names.index("hits_in_bin_0")]
    plain = FeatureMaker(ObservableCalculator(files[0].detector, 20.0))(files[0].read_all()[positions])
    assert hits.sum() > 0
    many = [np.expm1(table.values[:, table.names.index("hits")]).mean() for table in (found.reference, plain)]
    assert many[0] == pytest.approx(many[1], rel=0.05)


def test_the_same_showers_read_out_differ_only_by_their_noise(tmp_path):
    showers = toy_showers(1, 400)
    paths = [write_showers(tmp_path / "a.h5", showers)]
    paths.append(write_showers(tmp_path / "b.h5", scale_energies(showers, 1.0)))
    paths.append(write_showers(tmp_path / "c.h5", toy_showers(3, 400)))
    comparison = plan_comparison(*(open_showers(path) for path in paths))
    read = ReadOutSamples(comparison, np.arange(400), Digitisation(threshold=20.0), 1).tabulate(
        lambda _: None
    )
    assert np.array_equal(read.reference.values, read.generated.values)
