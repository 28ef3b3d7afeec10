"""Both families: losses with gradients, generation within its promises, bundles, layer list, symmetries."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from calokit.bundles.bundle import Bundle, bundle_digest, read_bundle, write_bundle
from calokit.bundles.ranges import ConditionRange
from calokit.bundles.tensors import write_tensors
from calokit.detector import Detector, load_detector
from calokit.errors import BundleError, ConfigurationError
from calokit.models.batches import IncidentTensors, TrainingBatch
from calokit.models.families import build_model
from calokit.models.flow.settings import FlowSettings
from calokit.models.flow.surrogate import FlowSurrogate
from calokit.models.mask_value.network import default_layers, extended_2_layers
from calokit.models.mask_value.regression import RegressionSurrogate
from calokit.models.mask_value.settings import RegressionSettings
from calokit.models.parts.places import CartesianImage
from calokit.models.parts.symmetries import SquareSymmetries
from calokit.models.protocols import Surrogate
from calokit.showers import Showers
from made_up_runs import TINY_MODELS, MakeShowers, draws, seeded, tiny_recipe

RANGES = [ConditionRange("ln incident energy", 6.9, 11.6)]


@pytest.fixture(scope="module")
def showers(make_showers: MakeShowers) -> Showers:
    return make_showers(200, 5)


@pytest.fixture(params=sorted(TINY_MODELS))
def bundle(request: pytest.FixtureRequest, zdc: Detector, showers: Showers) -> Bundle:
    """An untrained model, its last layers (which start at zero) filled with noise."""
    recipe = tiny_recipe(request.param)
    model = build_model(recipe.model, zdc, seed=1)
    model.fit_transforms(showers)
    generator = seeded(3)
    for parameter in model.parameters():
        if not parameter.any():
            parameter.data = 0.05 * torch.randn(parameter.shape, generator=generator)
    if isinstance(model, RegressionSurrogate):
        model.network.positive_heads[0].bias.data.fill_(0.02)
    return Bundle(model.eval(), recipe, zdc, RANGES, {"particle": "e+", "steps": 0})


def test_losses_reach_every_parameter(bundle: Bundle, showers: Showers) -> None:
    model = bundle.model.train()
    losses = model.losses(TrainingBatch.of(showers), draws())
    assert set(losses) == set(model.parts())
    assert all(bool(torch.isfinite(loss)) and loss.dim() == 0 for loss in losses.values())
    torch.stack(list(losses.values())).sum().backward()
    trained = {id(parameter) for part in model.parts().values() for parameter in part.parameters()}
    for name, parameter in model.named_parameters():
        assert id(parameter) in trained, name
        assert parameter.grad is not None, name
        assert bool(torch.isfinite(parameter.grad).all()), name
        assert bool(parameter.grad.any()) or _before_normalisation(model, name), name


def _before_normalisation(model: Surrogate, name: str) -> bool:
    """A bias that batch normalisation takes out again has no gradient."""
    return isinstance(model, RegressionSurrogate) and name.endswith("bias")


def test_losses_follow_from_the_generator(bundle: Bundle, showers: Showers) -> None:
    batch = TrainingBatch.of(showers)
    with torch.no_grad():
        one, two, other = (bundle.model.losses(batch, draws(seed)) for seed in (1, 1, 2))
    assert one == two
    assert (one == other) == isinstance(bundle.model, RegressionSurrogate)  # its losses draw nothing


def test_generation_keeps_its_promises(bundle: Bundle, showers: Showers) -> None:
    incidents = IncidentTensors.of(showers.incidents)
    energies = bundle.model.generate(incidents, seeded())
    assert energies.shape == (200, 400)
    assert energies.dtype == torch.float32
    hits = energies[energies != 0]
    assert len(hits) > 200
    assert float(hits.min()) > bundle.recipe.model.threshold_mev
    assert torch.equal(energies, bundle.model.generate(incidents, seeded()))
    assert not torch.equal(energies, bundle.model.generate(incidents, seeded(2)))


def test_flow_spends_the_drawn_visible_energy(zdc: Detector, showers: Showers) -> None:
    model = FlowSurrogate(FlowSettings(channels=4, blocks=1), zdc)
    model.fit_transforms(showers)
    incidents = IncidentTensors.of(showers.incidents)
    noise = draws(7).noise(model.noise(), len(incidents))
    with torch.no_grad():
        visible, hits = model._solve_totals(incidents.energies, model.encoder(incidents), noise["totals"])
        total = model.showers(incidents, noise).sum(1)
    assert bool((hits >= 1).all())
    assert bool(((total / visible - 1.0).abs() < 2e-3).all())
    assert float((total / visible - 1.0).abs().median()) < 1e-6


def test_empty_showers_train_and_come_back_empty(zdc: Detector, showers: Showers) -> None:
    model = FlowSurrogate(FlowSettings(channels=4, blocks=1), zdc)
    model.fit_transforms(showers)
    empty = Showers(
        0 * showers.energies, showers.incident_energies, zdc, showers.positions, showers.directions
    )
    losses = model.losses(TrainingBatch.of(empty), draws())
    assert losses["cells"].item() == 0.0
    assert bool(torch.isfinite(losses["totals"]))
    assert not bool(model._scale_to_visible(torch.rand(3, 400) * 5, torch.zeros(3)).any())
    with pytest.raises(ConfigurationError, match=r"no cell .* above 0.1 MeV"):
        model.fit_transforms(empty)


def test_bundle_round_trip_generates_the_same(bundle: Bundle, showers: Showers, tmp_path: Path) -> None:
    path = tmp_path / "model.calokit"
    write_bundle(path, bundle)
    back = read_bundle(path)
    assert (back.recipe, back.detector, back.ranges) == (bundle.recipe, bundle.detector, RANGES)
    assert back.provenance == bundle.provenance
    assert back.scorecard is None
    assert not back.model.training
    assert bundle_digest(back) == bundle_digest(bundle)
    incidents = IncidentTensors.of(showers.incidents)
    assert torch.equal(back.model.generate(incidents, seeded()), bundle.model.generate(incidents, seeded()))
    write_bundle(path, back.with_scorecard({"score": 0.5}))
    assert read_bundle(path).scorecard == {"score": 0.5}
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.calokit"]


def test_bundle_of_another_network_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "model.calokit"
    name = "channels" if isinstance(bundle.model, FlowSurrogate) else "hidden_dim"
    model = bundle.recipe.model.model_copy(update={name: 8})
    write_bundle(
        path, Bundle(bundle.model, bundle.recipe.model_copy(update={"model": model}), *_rest(bundle))
    )
    with pytest.raises(BundleError, match=r"model.calokit: the bundle does not fit") as caught:
        read_bundle(path)
    assert "\n" not in str(caught.value)


def _rest(bundle: Bundle) -> tuple[Detector, list[ConditionRange], dict[str, object]]:
    return bundle.detector, bundle.ranges, bundle.provenance


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"kind": "bundle", "format_version": 2}, "bundle format version 2"),
        ({"kind": "checkpoint"}, "not a model bundle"),
        ({"kind": "bundle", "format_version": 1}, "does not fit this release"),
    ],
)
def test_other_files_are_no_bundles(tmp_path: Path, metadata: dict[str, object], words: str) -> None:
    path = tmp_path / "model.calokit"
    write_tensors(path, {"weight": torch.zeros(2)}, metadata)
    with pytest.raises(BundleError, match=words):
        read_bundle(path)


def test_bundles_are_readable_by_whom_the_system_lets(bundle: Bundle, tmp_path: Path) -> None:
    write_bundle(tmp_path / "model.calokit", bundle)
    (tmp_path / "other").touch()
    assert (tmp_path / "model.calokit").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_truncated_bundles_are_refused(bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "model.calokit"
    write_bundle(path, bundle)
    content = path.read_bytes()
    for end in (0, 4, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:end])
        with pytest.raises(BundleError, match=r"model.calokit: not a readable safetensors file"):
            read_bundle(path)


@pytest.mark.parametrize("times", [(0.0, 0.5), (0.1, 1.0), (0.0, 0.7, 0.5, 1.0)])
def test_impossible_solver_times(zdc: Detector, times: tuple[float, ...]) -> None:
    with pytest.raises(ConfigurationError, match="rise from 0 to 1"):
        FlowSurrogate(FlowSettings(times=times), zdc)


def test_weights_follow_from_the_seed(zdc: Detector) -> None:
    settings = tiny_recipe("zdc_flow").model
    one, two, other = (build_model(settings, zdc, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert not torch.equal(one["cells_network.stem.weight"], other["cells_network.stem.weight"])


def convolution(inputs: int, outputs: int, kernel: int) -> int:
    """Weights and biases of a convolution with its batch normalisation."""
    return inputs * outputs * kernel**2 + outputs + 2 * outputs


def linear(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs + 2 * outputs


def test_default_layer_list_of_the_report() -> None:
    """Linear 1 to 4h; four each to 4h and 9h; h x 3 x 3; 5 x 5; H3W3; 10 x 10; H5W5; 20 x 20; H5W5."""
    h = 32
    layers = default_layers(1, h)
    assert [type(layer).__name__ for layer in layers] == [
        "Linear", "LinearBlock", "LinearBlock", "Unflatten", "ConvTranspose2d",
        "ConvolutionBlock", "ConvolutionBlock", "PixelShuffle",
        "ConvolutionBlock", "ConvolutionBlock", "PixelShuffle",
        "ConvolutionBlock", "ConvolutionBlock",
    ]  # fmt: skip
    counts = [sum(parameter.numel() for parameter in layer.parameters()) for layer in layers]
    assert counts == [
        8 * h,
        4 * linear(4 * h, 4 * h),
        linear(4 * h, 9 * h) + 3 * linear(9 * h, 9 * h),
        0,
        9 * h * h + h,
        convolution(h, 2 * h, 3),
        convolution(2 * h, 4 * h, 3),
        0,
        convolution(h, 2 * h, 5),
        convolution(2 * h, 4 * h, 5),
        0,
        convolution(h, h, 5),
        convolution(h, h, 5),
    ]
    assert sum(counts) == pytest.approx(0.76e6, rel=0.01)
    slopes = {module.negative_slope for module in layers.modules() if isinstance(module, nn.LeakyReLU)}
    assert slopes == {0.2}
    image, shapes = torch.zeros(2, 1), []
    for layer in layers:
        image = layer(image)
        shapes.append(tuple(image.shape[1:]))
    assert shapes[3:5] == [(h, 3, 3), (h, 5, 5)]
    assert shapes[7] == (h, 10, 10)
    assert shapes[10:] == [(h, 20, 20)] * 3


@pytest.mark.parametrize("build", [default_layers, extended_2_layers])
def test_layer_lists_make_images_of_any_rows_and_columns(build: Callable[..., nn.Sequential]) -> None:
    assert build(1, 4, (30, 27))(torch.zeros(2, 1)).shape == (2, 4, 30, 27)
    assert not any(isinstance(layer, nn.Upsample) for layer in build(1, 4))


def test_extended_2_layer_list_of_the_report() -> None:
    """The 24 entries as the report of 2025-07-09 numbers them, with their widths."""
    h = 32
    layers = extended_2_layers(1, h)
    four, nine = linear(4 * h, 4 * h), linear(9 * h, 9 * h)
    expected = [
        ("Linear", 8 * h),
        ("LinearBlock", 4 * four),
        ("LinearBlock", 4 * four),
        ("LinearBlock", 4 * four),
        ("LinearBlock", linear(4 * h, 9 * h) + 3 * nine),
        ("Dropout", 0),
        ("Unflatten", 0),
        ("ConvTranspose2d", 9 * h * h + h),
        ("ConvolutionBlock", convolution(h, 2 * h, 3)),
        ("ConvolutionBlock", convolution(2 * h, 2 * h, 3)),
        ("ConvolutionBlock", convolution(2 * h, 2 * h, 3)),
        ("ConvolutionBlock", convolution(2 * h, 4 * h, 3)),
        ("Dropout", 0),
        ("PixelShuffle", 0),
        ("ConvolutionBlock", convolution(h, 2 * h, 5)),
        ("ConvolutionBlock", convolution(2 * h, 2 * h, 5)),
        ("ConvolutionBlock", convolution(2 * h, 2 * h, 5)),
        ("ConvolutionBlock", convolution(2 * h, 4 * h, 5)),
        ("Dropout", 0),
        ("PixelShuffle", 0),
        ("ConvolutionBlock", convolution(h, h, 5)),
        ("ConvolutionBlock", convolution(h, h, 5)),
        ("ConvolutionBlock", convolution(h, h, 5)),
        ("ConvolutionBlock", convolution(h, h, 5)),
    ]
    found = [(type(layer).__name__, sum(p.numel() for p in layer.parameters())) for layer in layers]
    assert found == expected
    assert sum(count for _, count in found) == pytest.approx(1.22e6, rel=0.01)
    assert {layer.p for layer in layers if isinstance(layer, nn.Dropout)} == {0.1}
    image, shapes = torch.zeros(2, 1), []
    for layer in layers:
        image = layer(image)
        shapes.append(tuple(image.shape[1:]))
    assert (shapes[4], shapes[6], shapes[7]) == ((9 * h,), (h, 3, 3), (h, 5, 5))
    assert (shapes[13], shapes[19], shapes[23]) == ((h, 10, 10), (h, 20, 20), (h, 20, 20))


@pytest.mark.parametrize("gate", ["threshold", "probability", "draw"])
def test_regression_gates(zdc: Detector, showers: Showers, gate: str) -> None:
    model = RegressionSurrogate(RegressionSettings(hidden_dim=4, gate=gate, at_most_incident=False), zdc)
    model.fit_transforms(showers)
    model.eval()
    model.network.positive_heads[0].bias.data.fill_(0.02)
    model.network.positive_heads[0].weight.data.mul_(0.1)
    incidents = IncidentTensors.of(showers.incidents)
    with torch.no_grad():
        logits, values = model.images(incidents)
    assert bool((values > 0).all())
    composed = values * incidents.energies[:, None]
    found = model.generate(incidents, seeded())
    expected = {"threshold": composed * (logits > 0), "probability": composed * torch.sigmoid(logits)}
    if gate == "draw":
        assert bool(((found == 0) | (found == composed)).all())
        assert float((found > 0).float().mean()) == pytest.approx(
            float(torch.sigmoid(logits).mean()), abs=0.01
        )
    else:
        torch.testing.assert_close(found, torch.where(expected[gate] > 0.1, expected[gate], 0.0))


def test_symmetries_move_image_and_impact_alike(zdc: Detector) -> None:
    """A shower that is one hit cell under its impact stays that in every symmetry."""
    cells = torch.tensor([3, 47, 130, 399]).repeat(40)
    centres = torch.tensor(np.stack([zdc.cells.x, zdc.cells.y], axis=1)).float()
    batch = TrainingBatch(
        IncidentTensors(torch.arange(160.0) + 1, centres[cells], centres[cells] / 1e5),
        nn.functional.one_hot(cells, 400).float(),
    )
    moved = SquareSymmetries(CartesianImage(zdc))(batch, draws())
    where = moved.energies.argmax(1)
    torch.testing.assert_close(moved.incidents.positions, centres[where])
    torch.testing.assert_close(moved.incidents.directions, centres[where] / 1e5)
    images = {tuple(sorted((cell // 20, cell % 20))) for cell in where[cells[_origin(moved)] == 47].tolist()}
    assert images == {(2, 7), (7, 17), (2, 12), (12, 17)}
    assert len(set(where[cells[_origin(moved)] == 47].tolist())) == 8


def _origin(moved: TrainingBatch) -> torch.Tensor:
    return (moved.incidents.energies - 1).long()


def test_symmetries_keep_the_showers(zdc: Detector, showers: Showers) -> None:
    batch = TrainingBatch.of(showers)
    moved = SquareSymmetries(CartesianImage(zdc))(batch, draws())
    order = moved.incidents.energies.sort()
    before = batch.incidents.energies.sort()
    assert torch.equal(order.values, before.values)
    same_cells = moved.energies[order.indices].sort(dim=1).values
    assert torch.equal(same_cells, batch.energies[before.indices].sort(dim=1).values)
    unmoved = (moved.energies[order.indices] == batch.energies[before.indices]).all(1)
    assert int(unmoved.sum()) == 200 // 8


def test_symmetries_commute_with_the_geometry(zdc: Detector, showers: Showers) -> None:
    image = CartesianImage(zdc)
    positions = torch.from_numpy(showers.positions)
    radius = image.geometry(positions)[:, 2]
    mirrored = image.geometry(positions * torch.tensor([-1.0, 1.0]))
    torch.testing.assert_close(mirrored[:, 2], radius.flip(1))
    exchanged = image.geometry(positions.flip(1))
    torch.testing.assert_close(exchanged[:, 2], radius.transpose(1, 2))
    torch.testing.assert_close(exchanged[:, 0], image.geometry(positions)[:, 1].transpose(1, 2))


def test_oblong_readout_is_mirrored_and_not_turned() -> None:
    luxe = CartesianImage(load_detector("luxe_ecal"))
    symmetries = SquareSymmetries(luxe)
    assert not symmetries.square
    energies = torch.rand(8, luxe.cells, generator=seeded())
    moved = symmetries(TrainingBatch(IncidentTensors(torch.arange(8.0), None, None), energies), draws())
    assert moved.incidents.positions is None
    images, moved_images = luxe.fold(energies), luxe.fold(moved.energies)
    seen = set()
    for event, number in enumerate(moved.incidents.energies.long()):
        for name, axes in (("same", ()), ("x", (1,)), ("y", (2,)), ("both", (1, 2))):
            if torch.equal(moved_images[event], images[number].flip(axes)):
                seen.add(name)
    assert seen == {"same", "x", "y", "both"}
