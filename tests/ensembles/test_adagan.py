"""Ensembles: built member by member, continued, extended, and used as one surrogate."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from calokit.bundles.bundle import read_bundle
from calokit.bundles.tensors import read_tensors
from calokit.detector import load_detector
from calokit.ensembles import AdaganSettings, train_adagan
from calokit.ensembles.adagan import RECORD
from calokit.errors import ConfigurationError, RunError
from calokit.inference import ShowerGenerator
from calokit.models.batches import IncidentTensors
from calokit.models.mixture.settings import MixtureSettings
from calokit.models.mixture.surrogate import MixtureSurrogate
from calokit.showers import ShowerWriter, open_showers
from made_up_runs import MakeShowers, silent, tiny_recipe

TINY = tiny_recipe("zdc_flow", "training.steps=3")


Pair = tuple[Path, Path]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, make_showers: MakeShowers) -> Pair:
    """Showers, and the folder of a finished ensemble of two."""
    folder = tmp_path_factory.mktemp("adagan")
    showers = make_showers(200, 1)
    data = folder / "showers.h5"
    with ShowerWriter(data, showers.detector, "e+", "made up") as writer:
        writer.write(showers)
    train_adagan(TINY, data, folder / "two", AdaganSettings(members=2), silent)
    return data, folder / "two"


def test_the_second_member_learns_from_weighted_showers(pair: Pair) -> None:
    data, folder = pair
    weights = read_tensors(folder / "weights_02.safetensors")[0]["weights"]
    assert len(weights) == len(open_showers(data, "train"))
    assert float(weights.sum()) == pytest.approx(1.0)
    used = read_tensors(folder / "member_02" / "weights.safetensors")[0]["weights"]
    assert torch.equal(used, weights)
    assert not (folder / "member_01" / "weights.safetensors").exists()
    (step,) = json.loads((folder / "adagan.json").read_text())["steps"]
    assert 0 < step["shannon_divergence_bits"] <= 1
    assert 1 <= step["effective_showers"] <= len(weights)


def test_the_ensemble_is_a_surrogate_of_its_members(pair: Pair) -> None:
    data, folder = pair
    bundle = read_bundle(folder / "zdc_flow_adagan.calokit")
    assert isinstance(bundle.model, MixtureSurrogate)
    assert bundle.recipe.model.shares == (0.5, 0.5)  # type: ignore[attr-defined]
    members = [read_bundle(folder / f"member_0{number}" / "zdc_flow.calokit") for number in (1, 2)]
    for mine, member in zip(bundle.model.each(), members, strict=True):
        for name, tensor in member.model.state_dict().items():
            assert torch.equal(mine.state_dict()[name], tensor)
    assert bundle.provenance["presentations"] == sum(one.provenance["presentations"] for one in members)
    incidents = open_showers(data, "train").read(0, 64).incidents
    made = ShowerGenerator(bundle, seed=1).draw(incidents)
    assert np.isfinite(made.energies).all()
    np.testing.assert_array_equal(made.incident_energies, incidents.energies)


def test_it_goes_on_without_training_anew_and_can_be_extended(pair: Pair, tmp_path: Path) -> None:
    data, folder = pair
    before = {path: path.stat().st_mtime_ns for path in folder.glob("member_0*/zdc_flow.calokit")}
    longer = train_adagan(TINY, data, folder, AdaganSettings(members=3), silent)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    np.testing.assert_allclose(longer.bundle.provenance["shares"], 1 / 3)
    record = json.loads((folder / RECORD).read_text())
    del record["recipe"]["training"]["pace"]  # a key that is younger than the folder
    (folder / RECORD).write_text(json.dumps(record))
    train_adagan(TINY, data, folder, AdaganSettings(members=3), silent)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    other = TINY.model_copy(update={"title": "another"})
    with pytest.raises(RunError, match="an ensemble of another recipe"):
        train_adagan(other, data, folder, AdaganSettings(members=3), silent)
    with pytest.raises(RunError, match="an ensemble of another settings"):
        train_adagan(TINY, data, folder, AdaganSettings(members=3, rule="dagger"), silent)


@pytest.mark.parametrize("rule", ["even", "bagging", "top", "dagger"])
def test_every_rule_builds_an_ensemble(rule: str, pair: Pair, tmp_path: Path) -> None:
    settings = AdaganSettings.from_mapping({"members": 2, "rule": rule, "beta": 0.25}, "test")
    run = train_adagan(TINY, pair[0], tmp_path, settings, silent)
    assert run.bundle.provenance["shares"] == [0.75, 0.25]
    assert (tmp_path / "weights_02.safetensors").exists() == (rule != "even")


def test_each_member_makes_its_share_and_a_shower_follows_from_its_own_numbers() -> None:
    member = {"kind": "regression", "hidden_dim": 4}
    settings = MixtureSettings.from_mapping({"member": member, "shares": [0.2, 0.8]}, "test")
    torch.manual_seed(1)
    model = settings.build(load_detector("zdc_ecal")).eval()
    assert isinstance(model, MixtureSurrogate)
    count = 300
    incidents = IncidentTensors(torch.full((count,), 2e4), torch.zeros(count, 2), None)
    number = torch.rand(count, 1, generator=torch.Generator().manual_seed(2))
    own = {name: torch.zeros(count, noise.width) for name, noise in model.first.noise().items()}
    made = model.showers(incidents, {"member": number, **own})
    alone = [member.showers(incidents, own) for member in model.each()]
    chosen = (number[:, 0] >= 0.2).long()
    assert 0.7 < float(chosen.float().mean()) < 0.9
    expected = torch.where(chosen[:, None] == 1, alone[1], alone[0])
    torch.testing.assert_close(made, expected)


@pytest.mark.parametrize("shares", [[0.5, 0.6], [-0.5, 1.5]])
def test_impossible_shares_are_refused(shares: list[float]) -> None:
    with pytest.raises(ConfigurationError, match="sum to 1"):
        MixtureSettings.from_mapping({"member": {"kind": "regression"}, "shares": shares}, "test")
