"""Training: what a batch holds, how the rate runs, when it stops, and that killing it changes nothing."""

from __future__ import annotations

import json
import math
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from calokit.bundles.bundle import read_bundle
from calokit.bundles.ranges import measure_ranges
from calokit.compute.draws import Purpose, draw_generator
from calokit.compute.precision import Precision
from calokit.detector import load_detector
from calokit.errors import DetectorError, OutputError, RunError, ShowerFileError, SplitError
from calokit.files import hold_folder
from calokit.recipes.recipe import TrainingSettings
from calokit.showers import Showers, open_showers
from calokit.training import data as data_module
from calokit.training.checkpoint import read_checkpoint
from calokit.training.data import ShuffledShowers, open_for_training
from calokit.training.loop import TrainingLoop
from calokit.training.rates import rate_factor
from calokit.training.run import continue_training, is_unfinished, start_training
from made_up_runs import MakeFile, MakeShowers, silent, tiny_recipe

DRIVER = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
sys.path.insert(0, {tests!r})
from made_up_runs import calling, tiny_recipe
from calokit.training import loop
from calokit.training.run import start_training
loop.CHECKPOINT_SECONDS, loop.LOG_EVERY = 0.02, 1
recipe = tiny_recipe("zdc_flow", "training.steps=30")
start_training(recipe, Path({data!r}), Path({folder!r}), calling(lambda *_: print("step", flush=True)))
"""


@pytest.fixture
def small_pools(monkeypatch: pytest.MonkeyPatch) -> int:
    """Blocks of 16 showers, pools of 4 blocks."""
    monkeypatch.setattr(data_module, "chunk_rows", lambda cells: 16)
    monkeypatch.setattr(data_module, "POOL_BYTES", 4 * 16 * 400 * 4)
    return 64


@pytest.fixture
def source(small_pools: int, shower_file: MakeFile) -> ShuffledShowers:
    """233 training showers: 15 blocks, the last one short, 4 pools, 23 batches of 10, 3 left over."""
    return ShuffledShowers(open_showers(shower_file(259, split="train"), "train"), batch_size=10, seed=4)


def numbers(source: ShuffledShowers, showers: Showers) -> list[int]:
    """The places of showers within the view, told by their energies."""
    known = {float(energy): place for place, energy in enumerate(source.view.read_all().incident_energies)}
    return [known[float(energy)] for energy in showers.incident_energies]


def test_every_shower_once_an_epoch(source: ShuffledShowers) -> None:
    assert (len(source.view), source.batches_an_epoch, source.blocks_a_pool) == (233, 23, 4)
    batches = list(islice(source.batches(), 46))
    assert {len(batch) for batch in batches} == {10}
    epochs = [
        [n for batch in batches[start : start + 23] for n in numbers(source, batch)] for start in (0, 23)
    ]
    for epoch in epochs:
        assert len(epoch) == len(set(epoch)) == 230
    assert epochs[0] != epochs[1]
    assert epochs[0] != sorted(epochs[0])


def test_showers_move_whole(source: ShuffledShowers) -> None:
    whole = source.view.read_all()
    batch = next(source.batches())
    places = numbers(source, batch)
    for name in ("energies", "positions", "directions"):
        np.testing.assert_array_equal(getattr(batch, name), getattr(whole, name)[places])


@pytest.mark.parametrize("start", [0, 1, 6, 7, 12, 13, 22, 23, 24, 40, 50])
def test_a_batch_follows_from_its_number(source: ShuffledShowers, start: int) -> None:
    straight = list(islice(source.batches(), start, start + 4))
    for one, other in zip(straight, source.batches(start), strict=False):
        np.testing.assert_array_equal(one.energies, other.energies)
        np.testing.assert_array_equal(one.positions, other.positions)


def test_order_follows_from_the_seed(source: ShuffledShowers) -> None:
    again, other = (ShuffledShowers(source.view, 10, seed) for seed in (4, 5))
    first = numbers(source, next(source.batches()))
    assert numbers(source, next(again.batches())) == first
    assert numbers(source, next(other.batches())) != first


def test_pools_are_bounded_and_mixed(
    source: ShuffledShowers, small_pools: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    read = source._read_pool

    def watch(*arguments: object) -> Showers:
        pool = read(*arguments)
        sizes.append(len(pool))
        return pool

    monkeypatch.setattr(source, "_read_pool", watch)
    batches = list(islice(source.batches(), 23))
    assert sum(sizes) == 233
    assert max(sizes) <= small_pools
    blocks = [Counter(n // 16 for n in numbers(source, batch)) for batch in batches]
    assert all(len(counter) >= 2 for counter in blocks)


def test_sample_is_as_large_as_asked_for_and_fits_memory(
    source: ShuffledShowers, small_pools: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert small_pools < len(source.view)
    assert len(source.sample(20)) == 20
    assert sorted(numbers(source, source.sample(10_000))) == sorted(numbers(source, source.view.read_all()))
    monkeypatch.setattr("calokit.training.data.SAMPLE_BYTES", 4 * 400 * 50)
    sample = numbers(source, source.sample(10_000))
    assert len(set(sample)) == len(sample) == 50


def test_view_smaller_than_a_batch(shower_file: MakeFile) -> None:
    view = open_showers(shower_file(100), "train")
    with pytest.raises(
        ShowerFileError, match=r"60 showers in split train.*: fewer than one batch of 61.*batch_size=15"
    ):
        ShuffledShowers(view, 61, 1)


def test_ranges_are_those_of_the_training_showers(shower_file: MakeFile) -> None:
    view = open_showers(shower_file(100), "train")
    columns, names = view.read_all().conditions()
    found = measure_ranges(view)
    assert [one.name for one in found] == names
    np.testing.assert_array_equal([one.smallest for one in found], columns.min(axis=0))
    np.testing.assert_array_equal([one.largest for one in found], columns.max(axis=0))


@pytest.mark.parametrize("split", ["test", "validation"])
def test_showers_meant_for_judging_never_train(shower_file: MakeFile, tmp_path: Path, split: str) -> None:
    path = shower_file(split=split)
    with pytest.raises(SplitError, match=split):
        start_training(tiny_recipe("zdc_flow"), path, tmp_path / "run", silent)
    with pytest.raises(SplitError, match="worthless"):
        open_for_training(open_showers(path))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("split", ["all", "validation", "test"])
def test_only_the_train_split_trains(shower_file: MakeFile, split: str) -> None:
    with pytest.raises(SplitError, match=f"takes the split 'train', not '{split}'"):
        open_for_training(open_showers(shower_file(), split))


def test_rate_rises_and_falls() -> None:
    settings = TrainingSettings(steps=1000, warmup_steps=100)
    assert rate_factor(0, settings) == pytest.approx(0.01, rel=1e-4)
    assert rate_factor(49, settings) == pytest.approx(0.5 * 0.5 * (1 + math.cos(0.049 * math.pi)))
    assert rate_factor(500, settings) == pytest.approx(0.5)
    assert rate_factor(1000, settings) == pytest.approx(0.0, abs=1e-12)
    rates = [rate_factor(step, settings) for step in range(1000)]
    assert max(range(1000), key=rates.__getitem__) in (98, 99, 100)
    assert min(rates) > 0.0
    assert rate_factor(0, TrainingSettings(steps=10, warmup_steps=0)) == 1.0


def test_generators_of_every_seed_purpose_and_number_differ_and_repeat() -> None:
    every = [(seed, purpose, number) for seed in range(8) for purpose in Purpose for number in range(8)]
    found = {float(torch.rand(1, generator=draw_generator(*one))) for one in every}
    assert len(found) > 0.999 * len(every)
    one, again = (torch.rand(3, generator=draw_generator(1, Purpose.TRAINING, 5)) for _ in range(2))
    assert torch.equal(one, again)


def losses_in_turn(monkeypatch: pytest.MonkeyPatch, losses: list[float]) -> list[float]:
    """Let validations find these losses; returns the mark of the average at each of them."""
    marks: list[float] = []

    def validate(loop: TrainingLoop) -> None:
        marks.append(float(next(loop.average.parameters()).sum()))
        loop.state.validation = {"regression": losses[len(marks) - 1]}
        loop._stop_early(losses[len(marks) - 1])

    monkeypatch.setattr(TrainingLoop, "_validate", validate)
    return marks


def test_early_stopping_keeps_the_best(
    shower_file: MakeFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = losses_in_turn(monkeypatch, [3.0, 1.0, 2.0, 1.5, 9.0])
    recipe = tiny_recipe(
        "zdc_regression", "training.steps=40", "training.validate_every=3", "training.patience=2"
    )
    run = start_training(recipe, shower_file(), tmp_path / "run", silent)
    assert run.bundle.provenance["steps"] == 12
    assert len(marks) == 4
    assert float(next(run.bundle.model.parameters()).sum()) == marks[1]
    with pytest.raises(RunError, match="stopped at step 12, as validation had not got better"):
        continue_training(tmp_path / "run", silent, steps=80)
    again = continue_training(tmp_path / "run", silent)
    assert again.bundle.provenance["steps"] == 12
    assert float(next(again.bundle.model.parameters()).sum()) == marks[1]


def test_without_patience_the_last_average_is_shipped(
    shower_file: MakeFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = losses_in_turn(monkeypatch, [1.0, 2.0, 3.0, 4.0])
    recipe = tiny_recipe(
        "zdc_regression", "training.steps=8", "training.validate_every=2", "training.patience=null"
    )
    run = start_training(recipe, shower_file(), tmp_path / "run", silent)
    assert run.bundle.provenance["steps"] == 8
    assert float(next(run.bundle.model.parameters()).sum()) == marks[3]


@pytest.mark.parametrize("name", ["zdc_flow", "zdc_regression"])
def test_training_lowers_the_loss(shower_file: MakeFile, tmp_path: Path, name: str) -> None:
    recipe = tiny_recipe(
        name, "training.steps=60", "training.validate_every=20", "training.learning_rate=0.01"
    )
    start_training(recipe, shower_file(400), tmp_path / "run", silent)
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    totals = [sum(line["validation"].values()) for line in lines if "validation" in line]
    assert len(totals) == 3
    assert totals[2] < 0.9 * totals[0]


def train_and_kill(data: Path, folder: Path, steps: int) -> None:
    """Train in a process of its own, killed soon after so many steps."""
    code = DRIVER.format(tests=str(Path(__file__).parents[1]), data=str(data), folder=str(folder))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(steps):
            assert process.stdout.readline() == "step\n"
        time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


def read_log(folder: Path) -> dict[tuple[int, bool], dict[str, float]]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    content = {
        (line["step"], "validation" in line): line.get("losses", line.get("validation")) for line in lines
    }
    assert len(content) == len(lines), "a step stands twice in the log"
    return content


def test_killed_and_resumed_ends_with_the_same_bits(
    shower_file: MakeFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = shower_file(150)
    monkeypatch.setattr("calokit.training.loop.LOG_EVERY", 1)
    expected = start_training(tiny_recipe("zdc_flow", "training.steps=30"), data, tmp_path / "whole", silent)
    seed = random.SystemRandom().randrange(2**32)
    print(f"killed at the step that follows from seed {seed}")  # noqa: T201  (shown where the test fails)
    steps = random.Random(seed).randrange(3, 25)
    train_and_kill(data, tmp_path / "killed", steps)
    assert is_unfinished(tmp_path / "killed")
    resumed = continue_training(tmp_path / "killed", silent)
    found = read_bundle(resumed.bundle_path).model.state_dict()
    assert found.keys() == expected.bundle.model.state_dict().keys()
    for name, tensor in expected.bundle.model.state_dict().items():
        assert torch.equal(found[name], tensor), f"{name} differs after a kill at step {steps}"
    assert resumed.bundle.provenance["steps"] == 30
    log = read_log(tmp_path / "killed")
    assert log == read_log(tmp_path / "whole")
    assert [step for step, validation in log if not validation] == list(range(1, 31))
    assert not is_unfinished(tmp_path / "killed")


@pytest.fixture
def run_folder(shower_file: MakeFile, tmp_path: Path) -> Path:
    """A finished run of four steps."""
    start_training(tiny_recipe("zdc_flow", "training.steps=4"), shower_file(), tmp_path / "run", silent)
    return tmp_path / "run"


def test_a_run_is_not_started_over(run_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds a run already; continue it with --resume"):
        start_training(tiny_recipe("zdc_flow"), tmp_path / "showers.h5", run_folder, silent)


def test_a_run_that_is_still_going_is_not_continued(run_folder: Path) -> None:
    before = (run_folder / "run.json").read_bytes()
    with hold_folder(run_folder), pytest.raises(OutputError, match="another process is at work"):
        continue_training(run_folder, silent)
    assert (run_folder / "run.json").read_bytes() == before
    continue_training(run_folder, silent)


def test_changed_data_is_refused(run_folder: Path, shower_file: MakeFile) -> None:
    other = shower_file(200, seed=2, name="other.h5")
    with pytest.raises(RunError, match=r"other.h5 is not the file that the run in .* was started with"):
        continue_training(run_folder, silent, other)


def test_moved_data_is_accepted(run_folder: Path, tmp_path: Path) -> None:
    moved = (tmp_path / "showers.h5").rename(tmp_path / "moved.h5")
    with pytest.raises(ShowerFileError, match="no such file"):
        continue_training(run_folder, silent)
    assert continue_training(run_folder, silent, moved).bundle.provenance["data_file"] == "moved.h5"


def test_nothing_to_continue(tmp_path: Path) -> None:
    assert not is_unfinished(tmp_path)
    with pytest.raises(RunError, match="holds no run to continue"):
        continue_training(tmp_path, silent)


def test_diverged_training_says_so(shower_file: MakeFile, tmp_path: Path) -> None:
    recipe = tiny_recipe("zdc_flow", "training.steps=40", "training.learning_rate=1e30")
    with pytest.raises(RunError, match=r"loss is (nan|inf) at step .* the training has diverged"):
        start_training(recipe, shower_file(), tmp_path / "run", silent)
    assert not (tmp_path / "run" / "zdc_flow.calokit").exists()


def test_damaged_checkpoint_is_named(run_folder: Path) -> None:
    path = run_folder / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(RunError, match=r"checkpoint.safetensors: not a readable safetensors file"):
        continue_training(run_folder, silent)


def test_wrong_detector(tmp_path: Path, shower_file: MakeFile, make_showers: MakeShowers) -> None:
    lhcb = load_detector("lhcb_ecal")
    path = shower_file(
        showers=Showers(np.ones((100, 900), np.float32), make_showers(100, 1).incident_energies, lhcb)
    )
    with pytest.raises(DetectorError, match="meant for detector 'zdc_ecal', the showers are of 'lhcb_ecal'"):
        start_training(tiny_recipe("zdc_flow"), path, tmp_path / "run", silent)


def test_precision_of_the_start_is_used_on_resume(run_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = run_folder / "run.json"
    content = json.loads(path.read_text())
    assert content["precision"]["number_format"] == "float32"
    content["precision"] = {"number_format": "bfloat16", "memory_format": "contiguous", "milliseconds": 1.0}
    path.write_text(json.dumps(content))
    monkeypatch.setattr("calokit.training.run.choose_precision", lambda *_: pytest.fail("measured again"))
    used: list[Precision] = []
    run = TrainingLoop.run
    monkeypatch.setattr(
        TrainingLoop, "run", lambda loop, progress: (used.append(loop.precision), run(loop, progress))[1]
    )
    bundle = continue_training(run_folder, silent).bundle
    assert used == [Precision("bfloat16", "contiguous", 1.0)]
    assert bundle.provenance["precision"] == content["precision"]


def test_provenance(run_folder: Path, tmp_path: Path) -> None:
    bundle = read_bundle(run_folder / "zdc_flow.calokit")
    made, view = bundle.provenance, open_showers(tmp_path / "showers.h5")
    assert (made["data_sha256"], made["data_showers"], made["particle"]) == (view.sha256, 120, "e+")
    assert (made["steps"], made["presentations"], made["threads"]) == (4, 128, 1)
    assert (run_folder / "recipe.yaml").read_text() == bundle.recipe.to_yaml()


def test_batch_statistics_are_averaged_with_their_weights(shower_file: MakeFile, tmp_path: Path) -> None:
    """The averaged model normalises by statistics that lag behind the last step's, as its weights do."""
    recipe = tiny_recipe("zdc_regression", "training.steps=30", "training.moving_average=0.9")
    start_training(recipe, shower_file(), tmp_path / "run", silent)
    checkpoint = read_checkpoint(tmp_path / "run" / "checkpoint.safetensors")
    model, average = checkpoint.group("model"), checkpoint.group("average")
    means = [name for name in model if name.endswith("running_mean")]
    assert means
    assert all(not torch.equal(model[name], average[name]) for name in means)
    assert torch.equal(model["encoder.energy_scale"], average["encoder.energy_scale"])
