"""The pages of docs/ tell the truth: tables are those measured, YAML is accepted, commands exist."""

from __future__ import annotations

import json
import re
import runpy
import shlex
from pathlib import Path

import pytest
import yaml
from page_tables import fill
from typer.main import get_command

from calokit.cli import app
from calokit.showers import open_showers
from calokit.showers.formats import read_mapping
from calokit.showers.particle_list import open_particles
from calokit.simulation.sample import Sample
from made_up_scorecards import make_scorecard

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = sorted(DOCS.glob("*.md"))


def yaml_blocks(page: str) -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", (DOCS / page).read_text(), flags=re.DOTALL)


def test_tables_of_the_simulation_are_those_the_benchmarks_wrote() -> None:
    script = runpy.run_path(str(DOCS / "update_simulation.py"))
    page = (DOCS / "simulation.md").read_text()
    assert fill(page, script["TABLES"]) == page
    assert script["validation"]().count("\n") > 20


def test_tables_of_the_zdc_are_those_the_benchmark_wrote() -> None:
    script = runpy.run_path(str(DOCS / "update_zdc.py"))
    page = (DOCS / "zdc.md").read_text()
    assert fill(page, script["TABLES"]) == page
    assert "zdc_flow" in script["shipped"]()


def test_tables_of_luxe_are_those_the_benchmarks_wrote() -> None:
    script = runpy.run_path(str(DOCS / "update_luxe.py"))
    page = (DOCS / "luxe.md").read_text()
    assert fill(page, script["TABLES"]) == page
    assert script["claims"]().count("\n") > 10


def test_tables_of_the_cascade_are_those_the_benchmarks_wrote() -> None:
    script = runpy.run_path(str(DOCS / "update_cascade.py"))
    page = (DOCS / "cascade.md").read_text()
    assert fill(page, script["TABLES"]) == page
    assert "zdc_ecal" in script["steps"]()


def test_tables_of_lhcb_are_those_the_study_wrote() -> None:
    script = runpy.run_path(str(DOCS / "update_lhcb.py"))
    page = (DOCS / "lhcb.md").read_text()
    assert fill(page, script["TABLES"]) == page


def test_the_house_has_every_room() -> None:
    script = runpy.run_path(str(DOCS / "draw_house.py"))
    rooms = {room for layer in script["read_layers"]() for room in layer}
    assert rooms == set(script["ROOMS"])
    picture = (DOCS / "images" / "house.svg").read_text()
    assert all(f"<!-- {room} -->" in picture for room in rooms)


def test_tables_of_clic_are_those_the_benchmark_wrote() -> None:
    script = runpy.run_path(str(DOCS / "update_clic.py"))
    page = (DOCS / "clic.md").read_text()
    assert fill(page, script["TABLES"]) == page


def test_the_sample_on_the_page_is_one() -> None:
    (text,) = yaml_blocks("simulation.md")
    sample = Sample.from_mapping(yaml.safe_load(text), "docs/simulation.md")
    drawn = sample.draw(1, 0, 30, sample.load_detector())
    assert set(drawn.total_energies.round(3)) == {2500.0, 5000.0, 10000.0}


def test_particles_alone_are_generated_for_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "zoo").symlink_to(DOCS.parent / "zoo")
    section = (DOCS / "formats.md").read_text().split("## Particles alone")[1].split("\n## ")[0]
    listed, python = re.findall(r"```(?:python)?\n(.*?)```", section, flags=re.DOTALL)
    Path("particles.csv").write_text(listed)
    assert open_particles("particles.csv").energies.tolist() == [20e3]
    exec(python, {})
    assert open_showers("generated.h5").read_all().positions.tolist() == [[15.0, -3.5], [15.0, 20.0]]
    assert len(open_particles(DOCS.parent / "samples" / "particles.csv")) == 21


def test_the_mappings_on_the_page_are_accepted(tmp_path: Path) -> None:
    path = tmp_path / "mapping.yaml"
    kinds = []
    for text in yaml_blocks("formats.md"):
        path.write_text(text)
        kinds.append(read_mapping(path).kind)
    assert kinds == ["columns", "columns", "columns", "hits", "hits"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_exist_with_their_options(page: Path) -> None:
    group = get_command(app)
    for command in re.findall(r"^    (calokit .*)$|`(calokit [^`]+)`", page.read_text(), flags=re.MULTILINE):
        words = shlex.split("".join(command), comments=True)
        chosen = group.commands[words[1]]  # type: ignore[attr-defined]
        known = {option for parameter in chosen.params for option in parameter.opts}
        used = {word.split("=")[0] for word in words[2:] if word.startswith("-")}
        assert used <= known, command


def test_the_page_of_keys_is_up_to_date_and_says_what_keys_mean() -> None:
    script = runpy.run_path(str(DOCS / "write_keys.py"))
    page = script["page"]()
    assert (DOCS / "keys.md").read_text() == page
    rows = re.findall(r"^\| `(\w+)` \| .* \| .* \|(.*)\|$", page, flags=re.MULTILINE)
    assert len(rows) > 300
    assert sum(not meaning.strip() and key != "kind" for key, meaning in rows) < 0.4 * len(rows)


def test_the_schema_of_scorecards_is_up_to_date_and_holds_for_one() -> None:
    script = runpy.run_path(str(DOCS / "write_schema.py"))
    text = (DOCS / "scorecard.schema.json").read_text()
    assert text == script["schema_text"]()
    schema = json.loads(text)
    card = json.loads(make_scorecard(showers=50, events=1).to_json())
    assert set(card) <= set(schema["properties"])
    assert set(schema["required"]) <= set(card)
