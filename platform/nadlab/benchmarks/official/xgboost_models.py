"""XGBoost models as their pickles hold them, old and new: the serialised booster's bytes -> trees.

Boosters of XGBoost 1.0 to 1.6 were pickled as `CONFIG-offset:`, the legacy binary model and a JSON configuration;
XGBoost 3.1 dropped that form, so it is decoded here (`src/learner.cc`, `src/gbm/gbtree_model.h` and
`include/xgboost/tree_model.h` of dmlc/xgboost 1.2). Later ones are JSON, or UBJSON, which is decoded here as well:
XGBoost's own parser crashes on a damaged file.
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
_NUMBERS = {b"i": ">i1", b"U": ">u1", b"I": ">i2", b"l": ">i4", b"L": ">i8", b"d": ">f4", b"D": ">f8"}
_LENGTHS = frozenset((b"i", b"U", b"I", b"l", b"L"))
_CONSTANTS = {b"T": True, b"F": False, b"Z": None}
"""of UBJSON"""


def read_xgboost(data: bytes, where: str) -> Model:
    """Read a serialised booster of regression trees.

    Raises UserError when it is damaged or of another kind.
    """
    try:
        if data.startswith(_PREFIX):
            return _legacy(data[len(_PREFIX) + 8 :])
        text = data[:2] in (b'{"', b"{ ", b"{\n")
        snapshot = json.loads(data) if text else _Ubjson(data[1:]).members()
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


class _Ubjson:
    """Universal Binary JSON as XGBoost writes it (`src/common/json.cc`): big-endian, arrays of one type as numpy's."""

    def __init__(self, data: bytes) -> None:
        self.reader = _Reader(data)

    def value(self, marker: bytes) -> Any:
        if marker in _NUMBERS:
            kind = np.dtype(_NUMBERS[marker])
            return np.frombuffer(self.reader.take(kind.itemsize), kind)[0].item()
        if marker in _CONSTANTS:
            return _CONSTANTS[marker]
        if marker == b"S":
            return self.text(self.next())
        if marker == b"{":
            return self.members()
        if marker == b"[":
            return self.elements()
        raise ValueError(f"a value of the type {marker!r}")

    def next(self) -> bytes:
        return self.reader.take(1)

    def text(self, marker: bytes) -> str:
        return self.reader.take(self.count(marker)).decode()

    def count(self, marker: bytes) -> int:
        if marker not in _LENGTHS:
            raise ValueError(f"a length of the type {marker!r}")
        return int(self.value(marker))

    def members(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while (marker := self.next()) != b"}":
            name = self.text(marker)
            found[name] = self.value(self.next())
        return found

    def elements(self) -> Any:
        marker, found = self.next(), []
        if marker == b"#":
            return [self.value(self.next()) for _ in range(self.count(self.next()))]
        if marker == b"$":
            kind = np.dtype(_NUMBERS[self.next()])
            if self.next() != b"#":
                raise ValueError("an array of one type without its length")
            return np.frombuffer(self.reader.take(self.count(self.next()) * kind.itemsize), kind)
        while marker != b"]":
            found.append(self.value(marker))
            marker = self.next()
        return found


def _model(learner: dict[str, Any]) -> Model:
    booster, objective = learner["gradient_booster"], learner["objective"]["name"]
    if booster["name"] != "gbtree" or not objective.startswith("reg:"):
        raise ValueError(f"a {booster['name']!r} with the objective {objective!r}")
    base = float(str(learner["learner_model_param"]["base_score"]).strip("[]"))
    return Model(tuple(_tree(tree) for tree in booster["model"]["trees"]), base)


def _tree(tree: dict[str, Any]) -> Tree:
    if np.any(tree.get("split_type", [])):
        raise ValueError("a tree that splits by categories")

    def column(name: str, kind: str) -> NDArray[Any]:
        return np.array(tree[name], kind)

    # thresholds and leaf values share a column, in single precision
    info = column("split_conditions", "f4").astype(np.float64)
    return Tree(
        column("split_indices", "i4"), info, info, column("left_children", "i4"), column("right_children", "i4")
    )
