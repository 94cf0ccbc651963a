"""XGBoost models as their pickles hold them, old and new: the serialised booster's bytes -> trees.

Boosters of XGBoost 1.0 to 1.6 were pickled as `CONFIG-offset:`, the legacy binary model and a JSON configuration;
XGBoost 3.1 dropped that form, so it is decoded here (`src/learner.cc`, `src/gbm/gbtree_model.h` and
`include/xgboost/tree_model.h` of dmlc/xgboost 1.2). Later ones are JSON, or UBJSON, which today's XGBoost decodes.
"""

import json
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nadlab.benchmarks.surrogates.trees import Model, Tree
from nadlab.errors import UserError

_PREFIX = b"CONFIG-offset:"
_NODE = np.dtype([("parent", "<i4"), ("left", "<i4"), ("right", "<i4"), ("split", "<u4"), ("info", "<f4")])
_STATISTIC_BYTES = 16
_MODEL_PARAMETERS = struct.Struct("<fI128x")
_FOREST_PARAMETERS = struct.Struct("<i156x")
_TREE_PARAMETERS = struct.Struct("<iiiiii124x")
_LENGTH = struct.Struct("<Q")


def read_xgboost(data: bytes, where: str) -> Model:
    """Read a serialised booster of regression trees.

    Raises UserError when it is damaged, of another kind, or UBJSON without xgboost installed.
    """
    try:
        if data.startswith(_PREFIX):
            return _legacy(data[len(_PREFIX) + 8 :])
        text = data if data[:2] in (b'{"', b"{ ", b"{\n") else _as_json(data, where)
        snapshot = json.loads(text)
        return _model(snapshot.get("Model", snapshot)["learner"])
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, struct.error, RecursionError) as error:
        raise UserError(f"{where} holds no XGBoost model of regression trees ({error}); download it again") from error


def _legacy(data: bytes) -> Model:
    reader = _Reader(data[4:] if data[:4] == b"binf" else data)
    base, _ = reader.unpack(_MODEL_PARAMETERS)
    objective, booster = reader.text(), reader.text()
    if booster != "gbtree" or not objective.startswith("reg:"):
        raise ValueError(f"a {booster!r} with the objective {objective!r}")
    (count,) = reader.unpack(_FOREST_PARAMETERS)
    return Model(tuple(_legacy_tree(reader) for _ in range(count)), float(base))


def _legacy_tree(reader: "_Reader") -> Tree:
    roots, count, *_, leaf_vector = reader.unpack(_TREE_PARAMETERS)
    if roots != 1 or leaf_vector:
        raise ValueError("a tree with several roots or vectors at its leaves")
    nodes = np.frombuffer(reader.take(count * _NODE.itemsize), _NODE)
    reader.take(count * _STATISTIC_BYTES)
    info = nodes["info"].astype(np.float64)
    # the top bit of the split says where missing values go; there are none, they are -1
    feature = (nodes["split"] & 0x7FFFFFFF).astype(np.int32)
    return Tree(feature, info, info, nodes["left"].copy(), nodes["right"].copy())


class _Reader:
    """Bytes from front to back; raises ValueError past the end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def take(self, count: int) -> bytes:
        taken = self.data[self.position : self.position + count]
        if count < 0 or len(taken) < count:
            raise ValueError("it is truncated")
        self.position += count
        return taken

    def unpack(self, form: struct.Struct) -> tuple[Any, ...]:
        return form.unpack(self.take(form.size))

    def text(self) -> str:
        (length,) = self.unpack(_LENGTH)
        return self.take(length).decode("ascii")


def _as_json(data: bytes, where: str) -> bytes:
    try:
        import xgboost
    except ImportError as error:
        raise UserError(
            f"{where} was written by XGBoost 1.7 or later: run pip install 'nadlab[nasbench301]' to read it"
        ) from error
    booster = xgboost.Booster()
    try:
        booster.__setstate__({"handle": bytearray(data)})
        return bytes(booster.save_raw("json"))
    except xgboost.core.XGBoostError as error:
        raise ValueError(str(error).splitlines()[0]) from error


def _model(learner: dict[str, Any]) -> Model:
    booster, objective = learner["gradient_booster"], learner["objective"]["name"]
    if booster["name"] != "gbtree" or not objective.startswith("reg:"):
        raise ValueError(f"a {booster['name']!r} with the objective {objective!r}")
    base = float(str(learner["learner_model_param"]["base_score"]).strip("[]"))
    return Model(tuple(_tree(tree) for tree in booster["model"]["trees"]), base)


def _tree(tree: dict[str, Any]) -> Tree:
    if any(tree.get("split_type") or []):
        raise ValueError("a tree that splits by categories")

    def column(name: str, kind: str) -> NDArray[Any]:
        return np.array(tree[name], kind)

    # thresholds and leaf values share a column, in single precision
    info = column("split_conditions", "f4").astype(np.float64)
    return Tree(
        column("split_indices", "i4"), info, info, column("left_children", "i4"), column("right_children", "i4")
    )
