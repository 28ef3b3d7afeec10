"""The README tells the truth: its Python runs, its commands exist, its numbers are those measured."""

from __future__ import annotations

import doctest
import re
import runpy
import shlex
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from typer.main import get_command

from calokit.cli import app
from calokit.evaluation.samples.pairing import same_incidents, squared_errors
from calokit.showers import open_showers

HOME = Path(__file__).resolve().parents[2]
README = (HOME / "README.md").read_text()


def test_python_prints_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HOME)
    found = doctest.testfile(str(HOME / "README.md"), module_relative=False)
    assert found.attempted >= 7
    assert found.failed == 0


@pytest.mark.parametrize("command", sorted(set(re.findall(r"`(calokit [^`]+)`", README))))
def test_commands_exist_with_their_options(command: str) -> None:
    words = shlex.split(command.split(" > ")[0].removesuffix(" ..."))
    group = get_command(app)
    chosen = group.commands[words[1]]  # type: ignore[attr-defined]
    known = {option for parameter in chosen.params for option in parameter.opts}
    used = {word for word in words[2:] if word.startswith("-")}
    assert used <= known
    for word in words[2:]:
        if word.startswith(("samples/", "zoo/", "studies/")):
            assert (HOME / word).is_file()


def test_results_are_those_the_benchmarks_wrote() -> None:
    script = runpy.run_path(str(HOME / "docs" / "update_readme.py"))
    between = README.split(script["BEGIN"])[1].split(script["END"])[0]
    assert between.strip() == script["results_text"]().strip()


@pytest.mark.parametrize(
    "page", [HOME / "README.md", *sorted((HOME / "docs").glob("*.md"))], ids=lambda p: p.name
)
def test_links_lead_to_files_and_pictures_show_something(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if "://" in target:
            continue
        path = page.parent / target
        assert path.exists(), target
        if path.suffix == ".png":
            pixels = imread(path)[..., :3]
            assert min(pixels.shape[:2]) > 500
            assert len(np.unique((255 * pixels).astype(np.uint8).reshape(-1, 3)[::97], axis=0)) > 50
        if path.suffix == ".svg":
            assert ET.parse(path).getroot().tag.endswith("svg")


def test_twins_give_the_squared_error_that_the_page_says() -> None:
    showers, twins = (
        open_showers(HOME / "samples" / f"zdc_ecal_positrons_{name}.h5").read_all()
        for name in ("test", "twins")
    )
    assert same_incidents(showers, twins)
    errors = squared_errors(showers, twins, threshold=0.1)
    said = re.search(r"true showers is ([\d.]+) ± ([\d.]+) x 1e-5", README)
    assert said is not None
    assert 1e5 * errors.mean() == pytest.approx(float(said[1]), abs=0.006)
    assert 1e5 * errors.std() / np.sqrt(len(errors)) == pytest.approx(float(said[2]), abs=0.006)
