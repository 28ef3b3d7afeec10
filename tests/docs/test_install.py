"""The install lines of the README, in an environment of their own (slow: it fetches packages)."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[2]


def install_lines() -> list[str]:
    """Return the lines of the README's block that begins with pip."""
    blocks = re.findall(r"```\n(pip install.*?)```", (HOME / "README.md").read_text(), flags=re.DOTALL)
    assert len(blocks) == 1
    return blocks[0].splitlines()


def test_there_are_install_lines() -> None:
    assert [line.split()[:2] for line in install_lines()] == [["pip", "install"]] * 2


@pytest.mark.slow
def test_install_lines_work(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    scripts = tmp_path / "venv" / "bin"
    for line in install_lines():
        subprocess.run(f"{scripts}/{line}", shell=True, check=True, cwd=HOME)
    told = subprocess.run(
        [scripts / "calokit", "--version"], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    assert re.search(r"\d+\.\d+", told.stdout)
    made = [
        scripts / "calokit",
        "simulate",
        "zdc_ecal_positrons",
        "--backend",
        "parametric",
        "-n",
        "20",
        "-o",
        "a.h5",
    ]
    subprocess.run(made, check=True, cwd=tmp_path)
