"""Surrogates crafted to crash, fill or hold up whoever reads them, and names that are paths."""

import json
import os
import pickle
import zipfile
from pathlib import Path

import pytest

from nadlab.benchmarks.convert import convert
from nadlab.benchmarks.files import DEEPEST
from nadlab.benchmarks.official.nasbench301 import BOOSTERS
from nadlab.benchmarks.official.unpickle import read_pickle
from nadlab.cli.command_line import run_command
from nadlab.cli.main import nadlab
from nadlab.errors import UserError

FILES = Path(__file__).parent / "files"
XGBOOST = (FILES / "xgboost-1.2.0.pickle").read_bytes()
LIGHTGBM = (FILES / "lightgbm-2.3.1.pickle").read_bytes()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NADLAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    return path


def ensemble(lightgbm: bytes = LIGHTGBM, folder: str = "") -> dict[str, bytes]:
    """An ensemble of one member of each kind, the files of a zip."""
    models = {"xgb": XGBOOST, "lgb_time": lightgbm}
    return {
        f"{folder}{kind}/0/{name}": data
        for kind, model in models.items()
        for name, data in {
            "surrogate_model.model": model,
            "model_config.json": json.dumps({"model": kind}).encode(),
        }.items()
    }


def with_tree(old: str, new: str) -> bytes:
    """LightGBM's model with something else in the text of its trees."""
    handle = read_pickle(LIGHTGBM, BOOSTERS, FILES).state["handle"]
    assert old in handle
    return b"clightgbm.basic\nBooster\n)R" + pickle.dumps({"handle": handle.replace(old, new, 1)}, 2)[2:-1] + b"b."


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("left_child=2 3", "left_child=0 3", "point at each other or outside it"),
        ("left_child=2 3", "left_child=2 99999999", "point at each other or outside it"),
        ("left_child=2 3", "left_child=2 -99999999", "point at each other or outside it"),
        ("left_child=2 3", "left_child=2 99999999999999999999", "holds no LightGBM model"),
        ("left_child=2 3", "left_child=2", "4 values of left_child for 6 leaves"),
        ("split_feature=33", "split_feature=99", "a feature which does not exist"),
        ("num_leaves=6", "num_leaves=1000000000", "values of"),
        ("num_leaves=6", "num_leaves=-1", "a tree without leaves"),
        ("num_leaves=6", "num_leaves=six", "holds no LightGBM model"),
        ("decision_type=2", "decision_type=1", "splits by categories"),
        ("leaf_value=93.03", "leaf_value=nan 93.03", "7 values of leaf_value"),
        ("leaf_value=93.030037807519093", "leaf_value=nan", "a leaf that is not a number"),
        ("leaf_value=93.030037807519093", "leaf_value=1e999", "a leaf that is not a number"),
        ("objective=regression", "objective=binary", "the objective binary"),
    ],
)
def test_a_crafted_lightgbm_tree_is_one_sentence(
    old: str, new: str, reason: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = zipped(tmp_path / "models.zip", ensemble(with_tree(old, new)))
    assert run_command(nadlab, ["benchmarks", "convert", str(source)]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"error: {source}")
    assert reason in line


NESTED = "a/" * 3_000
ZIPS: dict[str, dict[str, bytes]] = {
    "slashes": {"//": b"", "/": b""},
    "an empty folder's name": {"a//b": b"", "a//b/": b""},
    "3,000 folders": {NESTED: b"", f"{NESTED}x": b""},
    "parents": {"../../x": b"", "..": b"", ".": b""},
    "absolute": {"/etc/passwd": b"", "C:\\x": b""},
    "one name as file and folder": {"a": b"", "a/b": b"", "a/b/c": b""},
}


@pytest.mark.parametrize("name", ZIPS)
def test_a_crafted_zip_is_one_sentence(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = zipped(tmp_path / "models.zip", ZIPS[name])
    assert run_command(nadlab, ["benchmarks", "convert", str(source)]) == 2
    assert capfd.readouterr().err.startswith(f"error: {source} has no XGBoost surrogate")


@pytest.mark.parametrize("name", ZIPS)
def test_odd_names_beside_an_ensemble_do_not_hide_it_and_nothing_is_unpacked(name: str, tmp_path: Path) -> None:
    source = zipped(tmp_path / "v1.0.zip", ZIPS[name] | ensemble())
    assert convert(source).name == "nasbench301-v1.0.safetensors"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "v1.0.zip"]


@pytest.mark.parametrize("folder", [NESTED, "a//", "../../../", "/"])
def test_an_ensemble_is_found_under_any_name_in_a_zip(folder: str, tmp_path: Path) -> None:
    assert convert(zipped(tmp_path / "models.zip", ensemble(folder=folder))).stat().st_size > 1_000


def test_a_member_without_configuration_is_one_sentence(tmp_path: Path) -> None:
    source = zipped(tmp_path / "models.zip", {"surrogate_model.model": XGBOOST})
    with pytest.raises(UserError, match=r"models\.zip/model_config\.json cannot be read"):
        convert(source)


def test_a_folder_is_looked_into_no_deeper_than_official_ones_and_follows_no_circle(tmp_path: Path) -> None:
    deep = tmp_path / "models"
    for _ in range(500):
        deep = deep / "a"
    deep.mkdir(parents=True)
    (tmp_path / "models" / "circle").symlink_to(tmp_path / "models")
    with pytest.raises(UserError, match="not an official benchmark file"):
        convert(tmp_path / "models")
    for name, data in ensemble(folder="b/" * (DEEPEST - 3)).items():
        path = tmp_path / "models" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    assert convert(tmp_path / "models").is_file()


def test_pipes_among_the_files_are_not_opened(tmp_path: Path) -> None:
    for name in ensemble():
        (tmp_path / "models" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "models" / name).write_bytes(ensemble()[name])
    configuration = tmp_path / "models" / "xgb" / "0" / "model_config.json"
    configuration.unlink()
    os.mkfifo(configuration)
    with pytest.raises(UserError, match=r"model_config\.json is a device or pipe"):
        convert(tmp_path / "models")
    for name in ("x.zip", "x.tfrecord", "x.pth"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(UserError, match="not an official benchmark file"):
            convert(tmp_path / name)


@pytest.mark.parametrize(
    "name", ["../../x", "/etc/x", "..", ".", ".x", "-x", "a/b", "a\\b", "a b", "a\nb", "x" * 101, "\0"]
)
def test_a_name_that_is_a_path_is_refused(name: str, tmp_path: Path, cache: Path) -> None:
    source = zipped(tmp_path / "models.zip", ensemble())
    with pytest.raises(UserError, match="is not a name for a benchmark"):
        convert(source, name)
    assert not cache.exists()


def test_an_unreadable_path_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot be read .File name too long"):
        convert(tmp_path / ("x" * 300 + ".zip"))
