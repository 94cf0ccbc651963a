"""NAS-Bench-301's surrogates, v0.9 and v1.0: a folder, or the downloaded zip, of pickled XGBoost and LightGBM models.

`xgb_v1.0` and `lgb_runtime_v1.0` each hold one folder a member with `surrogate_model.model` (a pickled booster),
`model_config.json` and `data_config.json` (`nasbench301/api.py` of automl/nasbench301). No booster is ever unpickled:
stand-ins keep the state, whose bytes are decoded as data. Their trees are then made to read a cell's own choices, so
what is converted needs neither the official package nor its training settings.
"""

import json
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nadlab.benchmarks.official.configspace import Columns, columns
from nadlab.benchmarks.official.lightgbm_models import read_lightgbm
from nadlab.benchmarks.official.unpickle import PLAIN, Allowed, read_pickle
from nadlab.benchmarks.official.xgboost_models import read_xgboost
from nadlab.benchmarks.surrogates.features import CHOICES
from nadlab.benchmarks.surrogates.surrogate import Surrogate
from nadlab.benchmarks.surrogates.trees import Model, Tree, Trees, ensemble
from nadlab.errors import UserError

MODEL_FILE = "surrogate_model.model"
MODEL_LIMIT = 1 << 30
CONFIGURATION_LIMIT = 1 << 20
"""Bytes of one file once unpacked."""

Place = Path | zipfile.Path


class BoosterState:
    """Stands in for a booster: what its pickle would restore, and nothing that acts."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.state = dict(state)


def byte_array(data: bytes | str = b"", encoding: str = "latin1") -> bytes:
    """Stand in for `bytearray`, from bytes alone: from a number it would be that long."""
    if isinstance(data, str):
        return data.encode("latin1" if encoding == "latin-1" else encoding)
    if not isinstance(data, bytes | bytearray):
        raise TypeError("an array of bytes that is made of no bytes")
    return bytes(data)


def plain_dict(*_factory_and_items: object) -> OrderedDict[Any, Any]:
    """Stand in for `defaultdict`, whose items a pickle sets afterwards."""
    return OrderedDict()


BOOSTERS: Allowed = {
    **PLAIN,
    ("xgboost.core", "Booster"): BoosterState,
    ("lightgbm.basic", "Booster"): BoosterState,
    ("builtins", "bytearray"): byte_array,
    ("collections", "defaultdict"): plain_dict,
}


def read_nasbench301(source: Path) -> Surrogate:
    """Read the performance surrogate and, where it is there, the runtime surrogate.

    Raises UserError that names what is missing, damaged or hostile, or the package that is missing.
    """
    columns()
    try:
        root: Place = zipfile.Path(source) if source.is_file() else source
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"{source} is no zip file ({error}); download it again") from error
    by_kind: dict[str, list[tuple[Place, str]]] = {"performance": [], "runtime": []}
    for folder in _members(root):
        kind = _model_kind(folder)
        if kind in ("xgb", "lgb_time"):
            by_kind["performance" if kind == "xgb" else "runtime"].append((folder, kind))
    if not by_kind["performance"]:
        raise UserError(f"{source} has no XGBoost surrogate: it needs xgb_v*/…/{MODEL_FILE} and model_config.json")
    runtime = _trees(source, by_kind["runtime"]) if by_kind["runtime"] else None
    counts = {f"{kind}_members": str(len(folders)) for kind, folders in by_kind.items()}
    performance = _trees(source, by_kind["performance"])
    return Surrogate("darts", "darts_choices", performance, runtime, {"source": source.name, **counts})


def on_choices(model: Model, read: Columns, precision: type[np.floating[Any]]) -> Model:
    """Return the same model on `nadlab.benchmarks.surrogates.features.darts_choices`; a split on a training setting is decided.

    `precision`: the numbers that the library compares. Raises ValueError when a tree reads another column.
    """
    setting = read.setting.astype(precision).astype(np.float64)
    return replace(model, trees=tuple(_on_choices(tree, read.feature, setting) for tree in model.trees))


def _on_choices(tree: Tree, feature: NDArray[np.int32], setting: NDArray[np.float64]) -> Tree:
    column = np.where(tree.left < 0, 0, tree.feature)
    if ((column < 0) | (column >= len(feature))).any():
        raise ValueError("a tree that reads a feature which does not exist")
    decided = np.where(setting[column] < tree.threshold, np.inf, -np.inf)
    fixed = feature[column] < 0
    return replace(
        tree,
        feature=np.where(fixed, 0, feature[column]).astype(np.int32),
        threshold=np.where(fixed, decided, tree.threshold),
    )


def _trees(source: Path, members: list[tuple[Place, str]]) -> Trees:
    try:
        return ensemble([_read(folder, kind) for folder, kind in members], len(CHOICES))
    except ValueError as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{source} holds {error}; download it again") from error


def _read(folder: Place, kind: str) -> Model:
    path = folder / MODEL_FILE
    booster = read_pickle(_bytes(path, MODEL_LIMIT), BOOSTERS, Path(str(path)))
    state = booster.state if isinstance(booster, BoosterState) else {}
    handle = state.get("handle", state.get("_handle"))  # the latter since LightGBM 4
    if kind == "xgb" and isinstance(handle, bytes | bytearray):
        return on_choices(read_xgboost(bytes(handle), str(path)), columns(), np.float32)
    if kind == "lgb_time" and isinstance(handle, str):
        best = state.get("best_iteration", 0)
        model = read_lightgbm(handle, best if isinstance(best, int) else 0, str(path))
        return on_choices(model, columns(), np.float64)
    raise UserError(f"{path} holds no booster of the kind that its model_config.json states; download it again")


def _model_kind(folder: Place) -> str:
    path = folder / "model_config.json"
    try:
        return str(json.loads(_bytes(path, CONFIGURATION_LIMIT))["model"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path} states no model ({error}); download it again") from error


def _members(place: Place) -> Iterator[Place]:
    if (place / MODEL_FILE).is_file():
        yield place
    inside_it: list[Place] = list(place.iterdir())
    for inside in sorted(inside_it, key=lambda one: one.name):
        if inside.is_dir():
            yield from _members(inside)


def _bytes(path: Place, limit: int) -> bytes:
    try:
        size = path.root.getinfo(path.at).file_size if isinstance(path, zipfile.Path) else path.stat().st_size
        if size > limit:
            raise UserError(f"{path} unpacks to {size:,} bytes, which no such file does; it is not opened")
        return path.read_bytes()
    except (OSError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise UserError(f"{path} cannot be read ({error}); download it again") from error
