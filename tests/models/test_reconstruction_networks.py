"""Reconstruction networks: sizes, symmetries, losses, uncertainties, and from training to the command."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import calokit
from calokit.bundles.bundle import Bundle, read_bundle, write_bundle
from calokit.bundles.join import join_members
from calokit.cli import app
from calokit.detector import Detector, load_detector
from calokit.errors import BundleError, ConditionWarning, ConfigurationError, DetectorError, SplitError
from calokit.evaluation.estimates.single import EnergyErrors
from calokit.inference.reconstruct import (
    Reconstruction,
    reconstruct_showers,
    write_csv,
    write_reconstruction,
)
from calokit.models.estimators.counting import CountingMember, CountingReconstructor
from calokit.models.estimators.energy_losses import energy_loss
from calokit.models.estimators.hit_batch import HitBatch
from calokit.models.estimators.hits import HitsReconstructor
from calokit.models.estimators.settings import (
    CountingSettings,
    HitsSettings,
    LayerDropout,
    VoxelPlaceSettings,
    VoxelSettings,
)
from calokit.models.estimators.voxel_energy import VoxelReconstructor
from calokit.models.estimators.voxel_place import VoxelPlaceReconstructor
from calokit.recipes import load_recipe
from calokit.recipes.recipe import Recipe
from calokit.showers import Showers, ShowerWriter, open_showers
from calokit.training.run import continue_training, start_training
from made_up_positrons import made_up_positrons
from made_up_runs import MakeFile, calling, draws, silent, tiny_recipe

TINY = [
    "training.batch_size=32",
    "training.warmup_steps=2",
    "training.steps=30",
    "training.validate_every=15",
    "training.moving_average=0.8",
]
TINY_HITS = ["model.width=8", "model.channels=3", "model.head_width=8", *TINY]


@pytest.fixture(scope="module")
def luxe() -> Detector:
    return load_detector("luxe_ecal")


@pytest.fixture(scope="module")
def positrons(luxe: Detector) -> Showers:
    return made_up_positrons(luxe, 300, seed=1)


@pytest.fixture(scope="module")
def luxe_file(positrons: Showers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("luxe") / "train.h5"
    with ShowerWriter(path, positrons.detector, "e+", "made up", {"split": "train"}, compression=1) as writer:
        writer.write(positrons)
    return path


def prepared(model: HitsReconstructor | VoxelReconstructor, showers: Showers) -> HitBatch:
    model.fit_transforms(showers)
    return model.prepare(showers)


def count(model: torch.nn.Module) -> int:
    """Numbers of a network, those of its batch normalisation included."""
    parts = model.parts()["voxels"]  # type: ignore[operator]
    kept = sum(one.numel() for one in parts.parameters())
    return kept + sum(one.numel() for name, one in parts.named_buffers() if "running" in name)


def test_the_published_network_has_its_published_size(luxe: Detector) -> None:
    assert count(VoxelReconstructor(VoxelSettings(), luxe)) == 72_113
    assert isinstance(load_recipe("luxe_energy_report").model, VoxelSettings)
    without = VoxelReconstructor(VoxelSettings(normalise=False), luxe)
    assert count(without) == 72_113 - 4 * (32 + 32 + 16)
    geometry = VoxelReconstructor(VoxelSettings(inputs="geometry"), luxe)
    assert count(geometry) == 72_113 - 64
    larger = VoxelReconstructor(VoxelSettings(channels=(16, 32, 64), normalise=False), luxe)
    smaller = VoxelReconstructor(VoxelSettings(channels=(16, 8, 8), dense=(32, 16, 8)), luxe)
    dense_only = VoxelReconstructor(VoxelSettings(inputs="energy"), luxe)
    early = VoxelSettings(channels=(64, 32, 16), dense=(64, 32), normalise=False)
    assert count(VoxelReconstructor(early, luxe)) == 99_825
    assert count(VoxelReconstructor(early.model_copy(update={"inputs": "geometry"}), luxe)) == 99_761
    assert count(dense_only) < count(smaller) < 72_113 < count(larger)


def test_the_published_shapes(luxe: Detector, positrons: Showers) -> None:
    model = VoxelReconstructor(VoxelSettings(), luxe).eval()
    image = torch.zeros(1, 1, 20, 110, 11)
    shapes = []
    for module in model.convolutions:
        image = module(image)
        if isinstance(module, torch.nn.MaxPool3d):
            shapes.append(tuple(image.shape[1:]))
    assert shapes == [(32, 10, 55, 5), (32, 5, 27, 2), (16, 2, 13, 1)]
    assert image.shape == (1, 416)


@pytest.mark.parametrize(
    "settings",
    [
        VoxelSettings(activation="sigmoid"),
        VoxelSettings(window_rows=16, dropout=LayerDropout(convolutions=(0, 0, 0.2), whole_channels=True)),
        VoxelSettings(inputs="energy", dropout=LayerDropout(dense=(0.2, 0, 0))),
    ],
)
def test_voxel_variants_train(luxe: Detector, positrons: Showers, settings: VoxelSettings) -> None:
    model = VoxelReconstructor(settings, luxe)
    batch = prepared(model, positrons)[:8]
    (loss,) = model.losses(batch, draws()).values()
    loss.backward()
    assert all(one.grad is not None and bool(one.grad.any()) for one in model.parameters() if one.dim() > 1)
    assert model.estimate(batch).columns()["energy"].shape == (8,)


@pytest.mark.parametrize("shared", [False, True])
def test_the_place_network_of_the_report_learns(luxe: Detector, positrons: Showers, shared: bool) -> None:
    settings = VoxelPlaceSettings(window_rows=8, channels=(2, 2, 2), shared=shared, convolution_l2=1e-4)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = VoxelPlaceReconstructor(settings, luxe)
        model.fit_transforms(positrons)
        batch = model.prepare(positrons)[:100]
        optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
        losses = []
        for _ in range(160):
            (loss,) = model.losses(batch, draws()).values()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(float(loss.detach()))
    assert losses[-1] < 0.4 * losses[0]
    found = model.eval().estimate(batch).columns()
    assert set(found) == {"position", "direction"} | ({"energy"} if shared else set())
    assert positrons.positions is not None
    off = found["position"] - positrons.positions[:100]
    assert off.std() < 0.5 * positrons.positions[:100].std()
    np.testing.assert_allclose(np.linalg.norm(found["direction"], axis=1), 1.0, rtol=1e-5)


def test_place_targets_are_standardised_or_cut(luxe: Detector, positrons: Showers) -> None:
    model = VoxelPlaceReconstructor(VoxelPlaceSettings(), luxe)
    model.fit_transforms(positrons)
    true = (model.prepare(positrons).true_lines() - model.place_mean) / model.place_width
    torch.testing.assert_close(true.mean(dim=0), torch.zeros(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(true.std(dim=0, correction=0), torch.ones(4), atol=1e-3, rtol=0)
    cut = VoxelPlaceReconstructor(VoxelPlaceSettings(whole_numbers=True), luxe)._targets(
        model.prepare(positrons)
    )
    torch.testing.assert_close(cut[:, :2], cut[:, :2].round())
    degrees = torch.rad2deg(torch.atan(cut[:, 2:]))
    torch.testing.assert_close(degrees, degrees.round(), atol=1e-4, rtol=0)


def test_penalties_are_those_of_keras(luxe: Detector) -> None:
    settings = VoxelSettings(convolution_l2=0.5, dense_l1=0.25, dense_l2=2.0, channels=(2, 2, 2))
    model = VoxelReconstructor(settings, luxe)
    expected = 0.0
    for name, parameter in model.named_parameters():
        weight = parameter.detach()
        if "bias" in name or weight.dim() < 2:
            continue
        if weight.dim() == 5:
            expected += 0.5 * float((weight**2).sum())
        elif weight.shape[0] > 1:
            expected += 0.25 * float(weight.abs().sum()) + 2.0 * float((weight**2).sum())
    assert float(model.penalty().detach()) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mae", 1.5),
        ("mse", 2.5),
        ("norm_mae", (1 / 4 + 2 / 16) / 2),
        ("snorm_mae", (1 / 2 + 2 / 4) / 2),
        ("norm_mse", (1 / 16 + 4 / 256) / 2),
        ("snorm_mse", (1 / 4 + 4 / 16) / 2),
        ("norm_rms", np.sqrt((1 / 16 + 4 / 256) / 2)),
        ("snorm_rms", np.sqrt((1 / 4 + 4 / 16) / 2)),
        ("huber", (0.5 + 1.5) / 2),
        ("norm_huber", 0.5 * (1 / 16 + 4 / 256) / 2),
        ("snorm_huber", 0.5 * (1 / 4 + 4 / 16) / 2),
    ],
)
def test_losses_by_hand(name: str, value: float) -> None:
    true = torch.tensor([4.0, 16.0])
    found = energy_loss(name, true + torch.tensor([1.0, -2.0]), true)  # type: ignore[arg-type]
    assert float(found) == pytest.approx(value)


def test_a_window_too_wide_is_refused(luxe: Detector) -> None:
    with pytest.raises(ConfigurationError, match=r"needs the 200 rows of model\.window_rows"):
        VoxelSettings(window_rows=200).build(luxe)


def test_batches_are_cut_and_joined(luxe: Detector, positrons: Showers) -> None:
    model = HitsReconstructor(HitsSettings(width=8, channels=2, head_width=8), luxe)
    batch = prepared(model, positrons)
    order = torch.tensor([7, 2, 250, 2])
    picked = batch[order]
    assert picked.counts.tolist() == batch.counts[order].tolist()
    alone = model.prepare(positrons[order.numpy()])
    for name in ("cells", "energies", "neighbours", "sums", "lines"):
        torch.testing.assert_close(getattr(picked, name), getattr(alone, name))
    again = HitBatch.join([batch[:100], batch[100:]])
    torch.testing.assert_close(again.neighbours, batch.neighbours)
    assert again.counts.tolist() == batch.counts.tolist()


def test_mirrored_hits_are_those_of_mirrored_showers(luxe: Detector, positrons: Showers) -> None:
    model = HitsReconstructor(HitsSettings(width=8, channels=2, head_width=8), luxe)
    batch = prepared(model, positrons)[:5]
    yes, no = torch.ones(5, dtype=torch.bool), torch.zeros(5, dtype=torch.bool)
    for in_x, in_y, axes in ((yes, no, (2,)), (no, yes, (3,)), (yes, yes, (2, 3))):
        moved = batch.mirrored(model.grid, in_x, in_y)
        images = np.flip(positrons.images[:5], axes)
        np.testing.assert_array_equal(moved.images(model.grid)[:, 0].numpy(), images)
        flipped = Showers(np.ascontiguousarray(images).reshape(5, -1), positrons.incident_energies[:5], luxe)
        same = model.prepare(flipped)
        order = torch.argsort(moved.event * 24_200 + moved.cells)
        torch.testing.assert_close(moved.neighbours[order], same.neighbours)
        sign = torch.tensor([-1.0 if 2 in axes else 1.0, -1.0 if 3 in axes else 1.0])
        assert moved.incidents.positions is not None
        torch.testing.assert_close(moved.incidents.positions, batch.incidents.positions * sign)


def test_an_untrained_network_returns_the_classical_estimates(luxe: Detector, positrons: Showers) -> None:
    model = HitsReconstructor(HitsSettings(targets=("energy", "place"), width=8), luxe).eval()
    batch = prepared(model, positrons)
    found = model.estimate(batch)
    torch.testing.assert_close(found.energy, 1e3 * model.classical_energy(batch), rtol=1e-5, atol=0.1)
    torch.testing.assert_close(found.position, batch.lines[:, :2])
    assert found.direction is not None
    torch.testing.assert_close(found.direction.norm(dim=1), torch.ones(300))


def counted(showers: Showers) -> Showers:
    """Showers whose cells were entered by one particle for every 0.1 MeV."""
    return replace(showers, entries=np.ceil(showers.energies / 0.1).astype(np.uint16))


def test_the_counting_network_learns_what_enters_each_cell(luxe: Detector, positrons: Showers) -> None:
    torch.manual_seed(1)
    model = CountingReconstructor(
        CountingSettings(width=16, channels=2, layer_channels=2, mirror=False), luxe
    )
    batch = prepared(model, counted(positrons))
    assert batch.entries.shape == (len(batch.cells), 1)
    torch.testing.assert_close(batch[3:9].entries, model.prepare(counted(positrons[3:9])).entries)
    torch.testing.assert_close(HitBatch.join([batch[:7], batch[7:]]).entries, batch.entries)
    member = model.members[0]
    assert isinstance(member, CountingMember)

    def correlation() -> float:
        inner = member(*model._inputs(batch)[:2], batch, model._inputs(batch)[2])[1]
        expected = member.expected_entries(inner)[:, 0].detach()
        return float(torch.corrcoef(torch.stack([expected, batch.entries[:, 0]]))[0, 1])

    before = correlation()
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    noise = draws()
    for _ in range(100):
        optimiser.zero_grad()
        sum(model.losses(batch[torch.randint(0, 300, (32,))], noise).values()).backward()  # type: ignore[union-attr]
        optimiser.step()
    assert correlation() > max(0.9, before)


def test_the_teacher_is_aimed_at_while_training_only(luxe: Detector, positrons: Showers) -> None:
    settings = CountingSettings(
        width=8, channels=2, mirror=False, dropout=0, entries_weight=1e-9, teacher_weight=1, layer_channels=2
    )
    model = CountingReconstructor(settings, luxe)
    batch = prepared(model, counted(positrons))
    true = batch.incidents.energies / 1e3
    taught = model.taught_energies(batch)
    assert abs(float((taught / true).mean()) - 1.0) < 0.02
    assert float((taught - true).std()) < 1.1 * float((model.classical_energy(batch) - true).std())
    noise = draws()
    while_training = model.losses(batch, noise)["hits_1"]
    model.eval()
    judged = model.losses(batch, noise)["hits_1"]
    classical = model.classical_energy(batch)
    expected = ((classical - taught) ** 2 / true).mean() - ((classical - true) ** 2 / true).mean()
    torch.testing.assert_close(while_training - judged, expected, rtol=1e-3, atol=1e-5)


def test_entries_are_asked_for_while_training_only(luxe: Detector, positrons: Showers) -> None:
    noise = draws()
    model = CountingReconstructor(CountingSettings(width=8, channels=2), luxe)
    plain = prepared(model, positrons)[:8]
    with pytest.raises(ConfigurationError, match=r"simulate --entries, or set model\.entries_weight=0"):
        model.losses(plain, noise)
    model.eval()
    full = model.prepare(counted(positrons))[:8]
    torch.testing.assert_close(model.losses(plain, noise), model.losses(full, noise))
    found = model.estimate(plain)
    torch.testing.assert_close(found.energy, 1e3 * model.classical_energy(plain), rtol=1e-5, atol=0.1)
    alone = CountingReconstructor(CountingSettings(width=8, channels=2, entries_weight=0), luxe)
    assert prepared(alone, counted(positrons)).entries.shape[1] == 0
    assert alone.losses(alone.prepare(positrons)[:8], noise)["hits_1"].isfinite()


def test_members_average_and_train_apart(luxe: Detector, positrons: Showers) -> None:
    model = HitsReconstructor(HitsSettings(width=8, channels=2, head_width=8, members=2), luxe)
    batch = prepared(model, positrons)[:16]
    losses = model.losses(batch, draws(1))
    assert list(losses) == list(model.parts()) == ["hits_1", "hits_2"]
    losses["hits_1"].backward()
    assert all(one.grad is None for one in model.parts()["hits_2"].parameters())


def test_calibration_gives_unbiased_energies_and_honest_widths(luxe: Detector) -> None:
    """A network that knows nothing is the classical sum; its width must become that of the sum."""
    model = HitsReconstructor(HitsSettings(width=8, channels=2, head_width=8), luxe).eval()
    prepared(model, made_up_positrons(luxe, 400, seed=3))
    model.sum_line[0] *= 0.9
    batch = model.prepare(made_up_positrons(luxe, 1500, seed=4))
    model.calibrate_on(batch)
    found = model.estimate(batch)
    assert found.energy is not None
    assert found.energy_uncertainty is not None
    off = (found.energy - batch.incidents.energies) / found.energy_uncertainty
    assert abs(float(off.mean())) < 0.1
    assert float(off.std()) == pytest.approx(1.0, abs=0.05)


def test_widths_of_before_they_were_scaled_by_energy_are_read(luxe: Detector) -> None:
    settings = HitsSettings(targets=("energy", "place"), width=8, channels=2, head_width=8)
    old, new = HitsReconstructor(settings, luxe), HitsReconstructor(settings, luxe)
    state = old.state_dict()
    del state["width_energies"], state["width_factors"]
    state["width_scales"] = torch.tensor([1.1, 1.2, 1.3, 1.4, 1.5])
    new.load_state_dict(state)
    factors = new._width_factors(torch.tensor([500.0, 8e3, 9e4]))
    torch.testing.assert_close(factors, state["width_scales"].expand(3, 5))


@pytest.fixture(scope="module")
def trained(luxe_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    recipe = load_recipe("luxe_shared", TINY_HITS)
    folder = tmp_path_factory.mktemp("run")
    return start_training(recipe, luxe_file, folder / "run", silent).bundle


def test_killed_training_ends_with_the_same_bits(luxe_file: Path, tmp_path: Path) -> None:
    recipe = load_recipe("luxe_energy", [*TINY_HITS, "training.steps=12", "training.validate_every=6"])
    whole = start_training(recipe, luxe_file, tmp_path / "whole", silent).bundle.model.state_dict()

    def stop(done: int, note: str) -> None:
        stop.steps += done  # type: ignore[attr-defined]
        if stop.steps == 7:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    stop.steps = 0  # type: ignore[attr-defined]
    with pytest.raises(KeyboardInterrupt):
        start_training(recipe, luxe_file, tmp_path / "cut", calling(stop))
    again = continue_training(tmp_path / "cut", silent).bundle.model.state_dict()
    assert all(torch.equal(again[name], tensor) for name, tensor in whole.items())


def test_estimates_reach_the_file(trained: Bundle, luxe_file: Path, tmp_path: Path) -> None:
    view = open_showers(luxe_file, "validation")
    made = reconstruct_showers(trained, view)
    write_reconstruction(tmp_path / "made.h5", made, trained, view)
    write_csv(tmp_path / "made.csv", made, view)
    with h5py.File(tmp_path / "made.h5") as file:
        assert file["energy"].shape == file["energy_uncertainty"].shape == (30,)
        assert file["position"].shape == (30, 2)
        assert file["direction"].shape == (30, 3)
        assert file["energy"].attrs["unit"] == "MeV"
        assert file.attrs["split"] == "validation"
        energies = file["energy"][:]
    with (tmp_path / "made.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["energy_mev"]) for row in rows] == pytest.approx(energies.tolist(), rel=1e-6)
    assert {
        "direction_z",
        "direction_uncertainty_x_rad",
        "position_x_mm",
        "energy_uncertainty_mev",
        "true_direction_z",
        "true_position_y_mm",
    } <= set(rows[0])
    true = view.read_all().incident_energies
    assert [float(row["true_energy_mev"]) for row in rows] == pytest.approx(true.tolist(), rel=1e-6)
    assert np.corrcoef(energies, true)[0, 1] > 0.9


def test_columns_of_several_particles_name_particle_and_axis(tmp_path: Path) -> None:
    places = np.arange(8.0).reshape(2, 2, 2)
    columns = {"count": np.array([1, 2]), "particle_energy": places[:, :, 0], "particle_position": places}
    write_csv(tmp_path / "made.csv", Reconstruction(columns, 1.0, 0.0, "none"))
    with (tmp_path / "made.csv").open() as stream:
        row = list(csv.DictReader(stream))[1]
    assert float(row["particle_position_1_y_mm"]) == places[1, 1, 1]
    assert float(row["particle_energy_1_mev"]) == places[1, 1, 0]
    assert float(row["count"]) == 2


def test_a_bundle_reconstructs_what_it_did_before_it_was_written(
    trained: Bundle, luxe_file: Path, tmp_path: Path
) -> None:
    write_bundle(tmp_path / "one.calokit", trained)
    view = open_showers(luxe_file, "validation")
    one, two = (
        reconstruct_showers(b, view).columns for b in (trained, read_bundle(tmp_path / "one.calokit"))
    )
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])


def test_energies_outside_the_training_range_warn(
    trained: Bundle, luxe: Detector, positrons: Showers, shower_file: MakeFile
) -> None:
    bright = Showers(4 * positrons.energies[:20], 4 * positrons.incident_energies[:20], luxe)
    view = open_showers(shower_file(showers=bright))
    with pytest.warns(ConditionWarning, match=r"outside the training range of luxe_shared \(3 to 12 GeV\)"):
        made = reconstruct_showers(trained, view)
    assert made.outside > 0.3


def test_wrong_detectors_and_bundles_are_refused(
    trained: Bundle, shower_file: MakeFile, tmp_path: Path
) -> None:
    zdc = shower_file()
    with pytest.raises(DetectorError, match="reconstructs in detector 'luxe_ecal'"):
        reconstruct_showers(trained, open_showers(zdc))
    run = start_training(tiny_recipe("zdc_regression", "training.steps=2"), zdc, tmp_path / "zdc", silent)
    with pytest.raises(BundleError, match="generates showers and knows no likelihood"):
        reconstruct_showers(run.bundle, open_showers(zdc))
    from calokit.inference import ShowerGenerator

    with pytest.raises(BundleError, match="use `calokit reconstruct`"):
        ShowerGenerator(trained, 1)


def test_the_command(trained: Bundle, luxe_file: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "luxe.calokit"
    write_bundle(bundle, trained)
    out = tmp_path / "out.h5"
    words = ["reconstruct", str(bundle), str(luxe_file), "-o", str(out), "--split", "validation"]
    done = CliRunner().invoke(app, [*words, "--csv", str(tmp_path / "out.csv")])
    assert done.exit_code == 0, done.output
    assert "30 showers" in done.output
    assert out.is_file()
    assert (tmp_path / "out.csv").is_file()


def test_too_few_showers_for_a_report_are_refused_before_the_work(
    trained: Bundle, positrons: Showers, luxe_file: Path, tmp_path: Path
) -> None:
    bundle, out, few = tmp_path / "luxe.calokit", tmp_path / "out.h5", tmp_path / "few.h5"
    write_bundle(bundle, trained)
    calokit.write_showers(few, positrons[:100])
    words = ["reconstruct", str(bundle), str(luxe_file), "-o", str(out), "--train", str(few)]
    done = CliRunner().invoke(app, [*words, "--report", str(tmp_path / "page")])
    assert isinstance(done.exception, ConfigurationError)
    assert "too few for a report" in str(done.exception)
    assert "at least 200" in str(done.exception)
    assert not out.exists()


def test_what_the_classical_methods_are_fitted_on_is_told(luxe_file: Path) -> None:
    from calokit.studies.judging.page import describe_fit

    train, test = open_showers(luxe_file, "train"), open_showers(luxe_file, "validation")
    assert "fewer than 2000" in describe_fit(train, test)
    assert "among them" not in describe_fit(train, test)
    assert f"{len(train)} of the showers judged are among them" in describe_fit(
        train, open_showers(luxe_file)
    )


def test_training_showers_among_those_judged_are_told(trained: Bundle, luxe_file: Path) -> None:
    from calokit.studies.judging.page import describe_training

    train = open_showers(luxe_file, "train")
    made = {**trained.provenance, "data_sha256": train.sha256, "data_showers": len(train)}
    bundle = replace(trained, provenance=made)
    assert f"{len(train)} of the showers judged are among them" in describe_training(
        bundle, open_showers(luxe_file)
    )
    for other in (trained, bundle):
        assert "among them" not in describe_training(other, open_showers(luxe_file, "validation"))


def test_recipes_of_the_report_are_complete() -> None:
    for name in (
        "luxe_energy",
        "luxe_direction",
        "luxe_shared",
        "luxe_energy_report",
        "luxe_direction_report",
    ):
        recipe = load_recipe(name)
        assert Recipe.from_mapping(recipe.to_mapping(), name) == recipe
        assert recipe.detector == "luxe_ecal"


@pytest.mark.slow
def test_the_report_stands_beside_classical_methods(trained: Bundle, luxe_file: Path, tmp_path: Path) -> None:
    from calokit.studies.judging.page import report_reconstruction

    view = open_showers(luxe_file)
    made = reconstruct_showers(trained, view)
    page = report_reconstruction(trained, made, view, open_showers(luxe_file, "train"), tmp_path / "report")
    text = page.read_text()
    for words in ("calibrated sum", "boosted trees", "log-weighted fit", "95.4 %", "<svg"):
        assert words in text
    assert "<script" not in text
    numbers = json.loads((tmp_path / "report" / "reconstruction.json").read_text())
    own = EnergyErrors.of(
        made.columns["energy"].astype(float), view.read_all().incident_energies.astype(float)
    )
    np.testing.assert_allclose(numbers["methods"]["luxe_shared"]["rms"], own.rms)
    assert (tmp_path / "report" / "figures" / "resolution.pdf").is_file()


@pytest.mark.slow
def test_places_are_not_compared_with_a_truth_that_is_not_known(
    trained: Bundle, luxe_file: Path, tmp_path: Path
) -> None:
    from calokit.studies.judging.page import report_reconstruction

    view = open_showers(luxe_file)
    made = reconstruct_showers(trained, view)
    lacking = replace(view.read_all(), positions=None, directions=None)
    without = calokit.write_showers(tmp_path / "without.h5", lacking)
    train = open_showers(luxe_file, "train")
    page = report_reconstruction(trained, made, without, train, tmp_path / "report")
    assert "log-weighted fit" not in page.read_text()
    places = {name: made.columns[name] for name in ("position", "direction")}
    with pytest.raises(ConfigurationError, match="no true impacts and directions"):
        report_reconstruction(trained, replace(made, columns=places), without, train, tmp_path / "report")


def test_a_report_that_cannot_be_written_is_refused_before_the_work(luxe_file: Path, tmp_path: Path) -> None:
    bundle = Path(__file__).parents[2] / "zoo" / "luxe_particles.calokit"
    output, report = tmp_path / "found.h5", tmp_path / "report"
    words = [bundle, luxe_file, "--output", output, "--report", report, "--train", luxe_file]
    result = CliRunner().invoke(app, ["reconstruct", *map(str, words)])
    assert "the report shows single particles" in str(result.exception)
    assert not output.exists()


def test_joined_members_average(luxe_file: Path, tmp_path: Path) -> None:
    changes = [*TINY_HITS, "training.steps=4", "training.validate_every=4"]
    bundles = [
        start_training(
            load_recipe("luxe_energy", [*changes, f"training.seed={seed}"]),
            luxe_file,
            tmp_path / str(seed),
            silent,
        ).bundle
        for seed in (1, 2)
    ]
    validation = open_showers(luxe_file, "validation")
    joined = join_members(bundles, validation)
    batch = joined.model.prepare(validation.read_all())
    one, two, both = (b.model._average(batch)["energy"][0] for b in (*bundles, joined))
    torch.testing.assert_close(both, (one + two) / 2, rtol=1e-5, atol=0.1)
    assert joined.provenance["presentations"] == 2 * bundles[0].provenance["presentations"]
    write_bundle(tmp_path / "joined.calokit", joined)
    again = reconstruct_showers(read_bundle(tmp_path / "joined.calokit"), validation)
    np.testing.assert_array_equal(
        again.columns["energy"], reconstruct_showers(joined, validation).columns["energy"]
    )
    other = start_training(
        load_recipe("luxe_energy", [*changes, "model.dropout=0.5"]), luxe_file, tmp_path / "other", silent
    )
    with pytest.raises(BundleError, match="another recipe"):
        join_members([bundles[0], other.bundle], validation)
    with pytest.raises(SplitError, match="neither trained nor will"):
        join_members(bundles, open_showers(luxe_file, "train"))


def test_calibrate_joins_and_says_on_what(luxe_file: Path, tmp_path: Path) -> None:
    recipe = load_recipe("luxe_energy", [*TINY_HITS, "training.steps=4", "training.validate_every=4"])
    run = start_training(recipe, luxe_file, tmp_path / "run", silent)
    out = tmp_path / "calibrated.calokit"
    command = ["calibrate", str(run.bundle_path), "--data", str(luxe_file), "-o", str(out)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "1 network(s), calibrated on" in done.output
    view = open_showers(luxe_file, "validation")
    made = read_bundle(out).provenance["calibration"]
    assert made == {"data_file": luxe_file.name, "data_sha256": view.sha256, "data_showers": len(view)}
