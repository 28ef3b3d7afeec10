"""The whole journey from Python, with paths as strings, as a notebook would make it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import calokit
from calokit.errors import ConfigurationError, RunError

QUICK = calokit.EvaluationSettings(classifier_seeds=0, kept_metrics=False, gallery_events=2)
TINY = ["training.batch_size=64", "training.steps=12", "model.hidden_dim=4", "training.validation_showers=64"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("journey"))


@pytest.fixture(scope="module")
def files(folder: str) -> tuple[str, str]:
    """Simulated showers to train on and to judge by."""
    paths = f"{folder}/train.h5", f"{folder}/test.h5"
    for seed, (path, split) in enumerate(zip(paths, ("train", "test"), strict=True)):
        made = calokit.simulate(
            "zdc_ecal_positrons",
            300,
            path,
            seed=seed,
            backend="parametric",
            workers=1,
            split=split,
            progress=calokit.no_progress,
        )
        assert len(made) == 300
    return paths


@pytest.fixture(scope="module")
def bundle_path(folder: str, files: tuple[str, str]) -> Path:
    run = calokit.train(
        "zdc_regression", files[0], f"{folder}/run", changes=TINY, progress=calokit.no_progress
    )
    assert run.bundle.provenance["steps"] == 12
    return run.bundle_path


def test_simulating_again_goes_on_and_finds_it_done(files: tuple[str, str]) -> None:
    again = calokit.simulate("zdc_ecal_positrons", 300, files[0], seed=0, backend="parametric", split="train")
    assert len(again) == 300


def test_training_goes_on_with_the_same_and_refuses_another(
    folder: str, files: tuple[str, str], bundle_path: Path
) -> None:
    more = calokit.train(
        "zdc_regression",
        files[0],
        f"{folder}/run",
        changes=[change.replace("steps=12", "steps=14") for change in TINY],
        progress=calokit.no_progress,
    )
    assert more.bundle.provenance["steps"] == 14
    with pytest.raises(RunError):
        calokit.train("zdc_flow", files[0], f"{folder}/run", progress=calokit.no_progress)


@pytest.mark.filterwarnings("ignore::calokit.errors.ConditionWarning")
def test_generate_judge_report_and_plot(folder: str, files: tuple[str, str], bundle_path: Path) -> None:
    truth = calokit.open_showers(files[1])
    showers = calokit.generate(str(bundle_path), like=truth, seed=3)
    same = calokit.generate(str(bundle_path), like=truth.read_all().incidents, seed=3)
    np.testing.assert_array_equal(showers.energies, same.energies)
    assert len(calokit.generate(str(bundle_path), energy_gev=20, count=7)) == 7
    written = calokit.write_showers(f"{folder}/made.h5", showers, particle="e+", generator="tiny")
    np.testing.assert_array_equal(written.read_all().energies, showers.energies)
    from_file = calokit.evaluate(
        files[1], f"{folder}/made.h5", settings=QUICK, progress=calokit.no_progress, label="tiny"
    )
    in_memory = calokit.evaluate(truth.read_all(), showers, settings=QUICK, progress=calokit.no_progress)
    assert from_file.generated.label == "tiny"
    for name in ("response.mean_deviation", "mse.mean"):
        assert from_file.measurement(name).value == in_memory.measurement(name).value
    one_curve = {"spectra": [], "curves": from_file.curves[:1], "images": [], "events": [], "hits": []}
    brief = from_file.model_copy(update=one_curve)
    page = calokit.write_report(brief, f"{folder}/report")
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert len(calokit.plot(from_file, "curve_response").axes) >= 2
    with pytest.raises(ConfigurationError, match="Did you mean 'curve_response'"):
        calokit.plot(from_file, "curve_respons")


def test_reconstruct_from_python() -> None:
    zoo = Path(__file__).parents[1] / "zoo"
    luxe = calokit.load_detector("luxe_ecal")
    from made_up_positrons import made_up_positrons

    made = calokit.reconstruct(
        zoo / "luxe_energy.calokit", made_up_positrons(luxe, 16, seed=2), progress=calokit.no_progress
    )
    assert made.columns["energy"].shape == (16,)


def test_conditions_are_given_once(bundle_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="either like"):
        calokit.generate(bundle_path)
    with pytest.raises(ConfigurationError, match="needs count"):
        calokit.generate(bundle_path, energy_gev=20)
