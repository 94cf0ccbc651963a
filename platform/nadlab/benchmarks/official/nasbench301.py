"""NAS-Bench-301's surrogates, v0.9 and v1.0: a folder, or the downloaded zip, of pickled XGBoost and LightGBM models.

`xgb_v1.0` and `lgb_runtime_v1.0` each hold one folder a member with `surrogate_model.model` (a pickled booster),
`model_config.json` and `data_config.json` (`nasbench301/api.py` of automl/nasbench301). No booster is ever unpickled:
stand-ins keep the state, whose bytes are decoded as data. Their trees are then made to read a cell's own choices, so
what is converted needs neither the official package nor its training settings.
"""

import json
import lzma
import struct
import zipfile
import zlib
from collections import OrderedDict
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nadlab.benchmarks.files import files_in, read_file
from nadlab.benchmarks.official.configspace import Columns, columns
from nadlab.benchmarks.official.lightgbm_models import read_lightgbm
from nadlab.benchmarks.official.unpickle import PLAIN, Allowed, read_pickle
from nadlab.benchmarks.official.xgboost_models import read_xgboost
from nadlab.benchmarks.surrogates.features import CHOICES
from nadlab.benchmarks.surrogates.surrogate import Surrogate
from nadlab.benchmarks.surrogates.trees import Model, Tree, Trees, ensemble
from nadlab.errors import UserError

MODEL_FILE, CONFIGURATION = "surrogate_model.model", "model_config.json"
MODEL_LIMIT = 1 << 30
CONFIGURATION_LIMIT = 1 << 20
"""Bytes of one file once unpacked."""

Root = Path | zipfile.ZipFile
_UNREADABLE = (
    *(OSError, EOFError, KeyError, ValueError, NotImplementedError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
)
"""What a damaged zip file makes its reader raise."""


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


@dataclass(frozen=True)
class _Member:
    """One folder with a model, in a folder or zip; nothing is ever unpacked to a place that a zip names."""

    source: Path
    root: Root
    folder: str
    """relative to the source; empty, or ending in /"""

    def path(self, name: str) -> Path:
        return self.source / f"{self.folder}{name}".lstrip("/")

    def read(self, name: str, limit: int) -> bytes:
        if isinstance(self.root, Path):
            return read_file(self.path(name), limit)
        try:
            size = self.root.getinfo(self.folder + name).file_size
            if size > limit:
                raise UserError(
                    f"{self.path(name)} unpacks to {size:,} bytes, which no such file does; it is not opened"
                )
            return self.root.read(self.folder + name)
        except _UNREADABLE as error:
            if isinstance(error, UserError):
                raise
            raise UserError(f"{self.path(name)} cannot be read ({error}); download it again") from error


def read_nasbench301(source: Path) -> Surrogate:
    """Read the performance surrogate and, where it is there, the runtime surrogate.

    Raises UserError that names what is missing, damaged or hostile, or the package that is missing.
    """
    columns()
    try:
        opened = zipfile.ZipFile(source) if source.is_file() else nullcontext(source)
    except _UNREADABLE as error:
        raise UserError(f"{source} is not a zip file ({error}); download it again") from error
    by_kind: dict[str, list[_Member]] = {"xgb": [], "lgb_time": []}
    with opened as root:
        for member in _members(source, root):
            by_kind.get(_model_kind(member), []).append(member)
        if not by_kind["xgb"]:
            raise UserError(f"{source} has no XGBoost surrogate: it needs xgb_v*/…/{MODEL_FILE} and {CONFIGURATION}")
        versions = {part for each in by_kind["xgb"] for part in each.folder.split("/") if part.startswith("xgb_v")}
        if len(versions) > 1:
            raise UserError(
                f"{source} has several surrogates, {' and '.join(sorted(versions))}: name the folder of one"
            )
        runtime = _trees(source, by_kind["lgb_time"], "lgb_time") if by_kind["lgb_time"] else None
        performance = _trees(source, by_kind["xgb"], "xgb")
    counts = {"performance_members": str(len(by_kind["xgb"])), "runtime_members": str(len(by_kind["lgb_time"]))}
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


def _trees(source: Path, members: list[_Member], kind: str) -> Trees:
    try:
        return ensemble([_read(member, kind) for member in members], len(CHOICES))
    except ValueError as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{source} holds {error}; download it again") from error


def _read(member: _Member, kind: str) -> Model:
    path = member.path(MODEL_FILE)
    booster = read_pickle(member.read(MODEL_FILE, MODEL_LIMIT), BOOSTERS, path)
    state = booster.state if isinstance(booster, BoosterState) else {}
    handle = state.get("handle", state.get("_handle"))  # the latter since LightGBM 4
    if kind == "xgb" and isinstance(handle, bytes | bytearray):
        return on_choices(read_xgboost(bytes(handle), str(path)), columns(), np.float32)
    if kind == "lgb_time" and isinstance(handle, str):
        best = state.get("best_iteration", 0)
        model = read_lightgbm(handle, best if isinstance(best, int) else 0, str(path))
        return on_choices(model, columns(), np.float64)
    raise UserError(f"{path} holds no booster of the kind that its model_config.json states; download it again")


def _model_kind(member: _Member) -> str:
    try:
        return str(json.loads(member.read(CONFIGURATION, CONFIGURATION_LIMIT))["model"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{member.path(CONFIGURATION)} states no model ({error}); download it again") from error


def _members(source: Path, root: Root) -> list[_Member]:
    # a zip is a list of names, such as a//b, that need not be a tree of folders
    inside = files_in(root, MODEL_FILE) if isinstance(root, Path) else None
    names = [str(path.relative_to(source)) for path in inside] if inside else root.namelist()  # type: ignore[union-attr]
    folders = {name.removesuffix(MODEL_FILE) for name in names if f"/{name}".endswith(f"/{MODEL_FILE}")}
    return [_Member(source, root, folder) for folder in sorted(folders, key=lambda folder: folder.split("/"))]
