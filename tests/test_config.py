from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from calokit.config import Description, digest_of, read_yaml
from calokit.detector import load_detector
from calokit.errors import ConfigurationError, suggest_near_miss
from calokit.recipes import load_recipe
from calokit.showers.formats import read_mapping
from calokit.simulation.sample import load_sample


class Round(Description):
    kind: Literal["round"] = "round"
    radius_mm: float = Field(1.0, gt=0)


class Square(Description):
    kind: Literal["square"] = "square"
    side_mm: float = 1.0
    rotation: float = 0.0


class Tile(Description):
    name: str
    shape: Annotated[Round | Square, Field(discriminator="kind")] = Round()
    layers: tuple[int, ...] = (1, 2)
    neighbours: tuple[Square, ...] = ()


def message(mapping: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        Tile.from_mapping(mapping, "tile.yaml")
    text = str(caught.value)
    assert text.startswith("tile.yaml: ")
    assert "\n" not in text
    return text


def test_unknown_key_names_the_near_miss() -> None:
    assert message({"nam": "a"}) == "tile.yaml: unknown key 'nam'. Did you mean 'name'?"


def test_unknown_key_without_near_miss_lists_the_known() -> None:
    assert "Known: 'layers', 'name', 'neighbours', 'shape'." in message({"name": "a", "zzzz": 1})


def test_unknown_key_inside_a_union_is_named_as_written() -> None:
    text = message({"name": "a", "shape": {"kind": "square", "side_m": 3}})
    assert text == "tile.yaml: unknown key 'shape.side_m'. Did you mean 'side_mm'?"


def test_union_offers_no_key_of_its_other_member() -> None:
    text = message({"name": "a", "shape": {"kind": "round", "rotaton": 3}})
    assert "unknown key 'shape.rotaton'" in text
    assert "rotation" not in text
    assert "'radius_mm'" in text


def test_unknown_key_inside_a_list() -> None:
    text = message({"name": "a", "neighbours": [{}, {"side_mn": 3}]})
    assert text == "tile.yaml: unknown key 'neighbours.1.side_mn'. Did you mean 'side_mm'?"


def test_unknown_kind_names_the_near_miss() -> None:
    text = message({"name": "a", "shape": {"kind": "rond"}})
    assert text == "tile.yaml: shape: no kind 'rond'. Did you mean 'round'?"


def test_missing_key() -> None:
    assert message({}) == "tile.yaml: key 'name' is missing."


@pytest.mark.parametrize(
    ("shape", "part"),
    [
        ({"kind": "square", "side_mm": "wide"}, "shape.side_mm: "),
        ({"kind": "square", "side_mm": float("nan")}, "shape.side_mm: "),
        ({"kind": "square", "side_mm": float("inf")}, "shape.side_mm: "),
        ({"kind": "round", "radius_mm": -1.0}, "given: -1.0"),
        ({"side_mm": 1.0}, "'kind'"),
        (3, "given: 3"),
    ],
)
def test_wrong_values(shape: object, part: str) -> None:
    assert part in message({"name": "a", "shape": shape})


@pytest.mark.parametrize("content", [None, [1, 2], "name", 3])
def test_no_mapping(content: object) -> None:
    assert f"found {type(content).__name__}" in message(content)


def test_yaml_round_trip(tmp_path: Path) -> None:
    tile = Tile(name="Träger", shape=Square(side_mm=2.5), layers=(3, 4), neighbours=(Square(rotation=0.1),))
    path = tmp_path / "tile.yaml"
    path.write_text(tile.to_yaml(), encoding="utf-8")
    assert Tile.from_yaml(path) == tile
    assert list(read_yaml(path)) == ["name", "shape", "layers", "neighbours"]


@pytest.mark.parametrize("text", [b"a: [1", b"a: \xff\xfe", b"\tname: 1"])
def test_broken_yaml_is_one_line(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "tile.yaml"
    path.write_bytes(text)
    with pytest.raises(ConfigurationError, match="not readable as YAML") as caught:
        Tile.from_yaml(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_yaml(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file"):
        Tile.from_yaml(tmp_path / "none.yaml")


def test_descriptions_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Tile(name="a").name = "b"


def test_digest_knows_values_and_not_their_order() -> None:
    one = Tile.from_mapping({"name": "a", "shape": {"kind": "square", "side_mm": 2, "rotation": 1}}, "")
    two = Tile.from_mapping({"shape": {"rotation": 1.0, "side_mm": 2.0, "kind": "square"}, "name": "a"}, "")
    assert one.digest() == two.digest()
    assert one.digest() != Tile.from_mapping({"name": "b"}, "").digest()
    assert one.digest() == digest_of(one.to_mapping())
    assert digest_of({}) == "44136fa355b3678a"  # the first 16 digits of the SHA-256 of the two bytes {}


def test_near_miss_ignores_the_order_of_the_known() -> None:
    assert suggest_near_miss("b", ["c1", "a1"]) == "Known: 'a1', 'c1'."


def test_files_name_detectors_beside_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample, a mapping and a recipe in one folder mean the same `mine.yaml`, wherever they are read."""
    mine = load_detector("zdc_ecal").to_mapping() | {"name": "mine"}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(mine))
    sample = load_sample("zdc_ecal_positrons").to_mapping() | {"detector": "mine.yaml"}
    (tmp_path / "sample.yaml").write_text(yaml.safe_dump(sample))
    recipe = load_recipe("zdc_flow").to_mapping() | {"detector": "mine.yaml"}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    (tmp_path / "mapping.yaml").write_text("kind: hits\ndetector: mine.yaml\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    named = [
        load_sample("../sample.yaml").detector,
        load_recipe("../recipe.yaml").detector,
        read_mapping(Path("../mapping.yaml")).detector,
    ]
    assert [load_detector(name or "").name for name in named] == ["mine"] * 3


@given(
    key=st.sampled_from(sorted(Tile.model_fields)),
    place=st.integers(0, 30),
    letter=st.characters(codec="utf-8"),
)
def test_any_near_miss_names_the_key_that_was_meant(key: str, place: int, letter: str) -> None:
    wrong = key[: place % len(key)] + letter + key[place % len(key) + 1 :]
    if wrong in Tile.model_fields:
        return
    with pytest.raises(ConfigurationError) as caught:
        Tile.from_mapping({"name": "a", wrong: 1}, "here")
    assert repr(key) in str(caught.value) or "Known" in str(caught.value)
    assert "\n" not in str(caught.value)
