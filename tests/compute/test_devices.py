"""Every family on a device: pretended here, so that a processor finds what a graphics card would refuse."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from calokit.compute.device import CPU, Device, available_devices
from calokit.compute.draws import Draws
from calokit.errors import ConfigurationError
from calokit.inference import generate_file, incidents_like, reconstruct_showers
from calokit.models.cascade.compiled import availability
from calokit.models.protocols import Surrogate
from calokit.progress import no_progress
from calokit.showers import open_showers
from calokit.training.run import continue_training, start_training
from compute.pretended_device import PLACE, PRETENDED, Pretended
from compute.tiny_runs import families, showers_for, tiny_of
from made_up_runs import MakeFile

INLINE = "calokit.training.loop.Prefetch"
"""What reads ahead does so on a thread, which nobody watches."""


@pytest.mark.filterwarnings("ignore::calokit.errors.ConditionWarning")
@pytest.mark.parametrize("kind", families())
def test_families_stay_on_their_device(
    kind: str, shower_file: MakeFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Training with validation and monitor, going on, finishing, and use: no tensor meets one of the host."""
    monkeypatch.setattr(INLINE, nullcontext)
    monkeypatch.setattr(availability, "numba_compiles", lambda: False)  # a card has no compiled loops
    recipe = tiny_of(kind)
    monitored = recipe.training.model_copy(update={"monitor_showers": 8, "precision": "auto"})
    recipe = recipe.model_copy(update={"training": monitored})
    data = shower_file(showers=showers_for(recipe))
    watch = Pretended()
    with watch:
        run = start_training(recipe, data, tmp_path / "run", no_progress, device=PRETENDED)
        continue_training(tmp_path / "run", no_progress, steps=4, device=PRETENDED)
        view = open_showers(data)
        if isinstance(run.bundle.model, Surrogate):
            generate_file(
                run.bundle, incidents_like(view, 20), tmp_path / "made.h5", 1, no_progress, device=PRETENDED
            )
        else:
            reconstruct_showers(run.bundle, view, no_progress, device=PRETENDED)
    assert run.bundle.provenance["device"] == "cpu:0"
    assert not watch.faults, "\n".join(watch.faults)


def test_the_watch_sees_what_a_card_would_refuse() -> None:
    watch = Pretended()
    host, number = torch.ones(3), torch.tensor(2.0)
    with watch:
        there = PRETENDED.put(torch.arange(3.0))
        assert there.device == PLACE
        fine = there * number + there.new_ones(3) + torch.zeros(3, device=there.device)
        assert torch.stack([fine, there]).sum().device == PLACE
        assert fine.cpu().device == torch.device("cpu")
        assert not watch.faults
        for wrong in (
            lambda: there + host,
            lambda: torch.stack([there.sum(), number]),
            lambda: there[torch.tensor([0])],
            lambda: torch.where(host > 0, there, there),
            lambda: (2 * fine).numpy(),
        ):
            before = watch.faults.total()
            wrong()
            assert watch.faults.total() == before + 1
        assert (2 * fine).sum().item() > 0
        assert watch.waits.total() == 2


def test_devices_by_name() -> None:
    assert Device.of("cpu") == CPU
    assert Device.of("auto").name in available_devices()
    assert (CPU.kind, CPU.is_host, Device("cuda:1").kind) == ("cpu", True, "cuda")
    with pytest.raises(ConfigurationError, match=r"no device 'abacus' here; there is cpu"):
        Device.of("abacus")
    assert CPU.describe() == {"device": "cpu", "accelerator": None}
    assert Device.holding(torch.nn.Linear(1, 1)) == Device.holding(torch.ones(1)) == CPU


def test_islands_of_full_precision() -> None:
    matrix = torch.ones(4, 4)
    with CPU.autocast("bfloat16"):
        assert (matrix @ matrix).dtype == torch.bfloat16
        with CPU.full_precision():
            assert (matrix @ matrix).dtype == torch.float32
    with CPU.autocast("float32"):
        assert (matrix @ matrix).dtype == torch.float32


def test_layers_draw_without_a_trace() -> None:
    before = torch.random.get_rng_state()
    with CPU.own_layer_draws():
        torch.manual_seed(5)
        torch.rand(3)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_draws_are_moved_to_where_they_are_wanted() -> None:
    with Pretended():
        draws = Draws(torch.Generator().manual_seed(1), PRETENDED)
        made = (draws.normal(2, 3), draws.uniform(4), draws.permutation(5))
        assert {one.device for one in made} == {PLACE}
