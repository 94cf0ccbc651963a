"""LightGBM models in LightGBM's own text form, which its pickles hold -> trees.

Read here and not by LightGBM, whose parser follows any child that a file names, out of its arrays (`src/io/tree.cpp`
and `src/boosting/gbdt_model_text.cpp` of microsoft/LightGBM). A negative child c is the leaf ~c.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nadlab.benchmarks.surrogates.trees import Model, Tree
from nadlab.errors import UserError

_CATEGORICAL = 1
_MISSING_TYPE, _MISSING_IS_ZERO = 12, 4
"""Bits of a split's `decision_type`."""


def read_lightgbm(text: str, best_iteration: int, where: str) -> Model:
    """Read a regression model; as its `predict`, stop at the best iteration where early stopping found one.

    Raises UserError when it is damaged or of another kind.
    """
    try:
        # after the trees: importances of features and training parameters
        head, *blocks = text.partition("\nend of trees")[0].split("\nTree=")
        header = _fields(head)
        objective = header["objective"]
        if not objective.startswith("regression") or header["num_tree_per_iteration"] != "1":
            raise ValueError(f"the objective {objective:.40}")
        if "average_output" in head.splitlines():
            raise ValueError("a forest")
        chosen = blocks[:best_iteration] if best_iteration > 0 else blocks
        return Model(tuple(_tree(_fields(block)) for block in chosen), 0.0)
    except (ValueError, KeyError, OverflowError) as error:
        raise UserError(f"{where} holds no LightGBM model of regression trees ({error}); download it again") from error


def _fields(block: str) -> dict[str, str]:
    return {name: value for name, equals, value in (line.partition("=") for line in block.splitlines()) if equals}


def _tree(fields: Mapping[str, str]) -> Tree:
    """Inner nodes first, leaves after them."""
    leaves = int(fields["num_leaves"])
    inner = leaves - 1
    if inner < 0:
        raise ValueError("a tree without leaves")
    if fields.get("is_linear", "0") != "0":
        raise ValueError("a tree of linear models")

    def column(name: str, kind: str, count: int) -> NDArray[Any]:
        values = fields[name].split() if count else []
        if len(values) != count:
            raise ValueError(f"{len(values)} values of {name} for {leaves} leaves")
        return np.array(values, "f8").astype(kind) if kind == "f8" else np.array(list(map(int, values)), kind)

    decisions = column("decision_type", "i4", inner)
    if (decisions & _CATEGORICAL).any() or (decisions & _MISSING_TYPE == _MISSING_IS_ZERO).any():
        raise ValueError("a tree that splits by categories or by zero")

    def child(name: str) -> NDArray[np.int32]:
        children = column(name, "i4", inner)
        return np.concatenate([np.where(children < 0, inner + ~children, children), np.full(leaves, -1)]).astype("i4")

    # x <= t goes left there, x < t here
    threshold = np.nextafter(column("threshold", "f8", inner), np.inf)
    return Tree(
        np.concatenate([column("split_feature", "i4", inner), np.zeros(leaves, np.int32)]),
        np.concatenate([threshold, np.zeros(leaves)]),
        np.concatenate([np.zeros(inner), column("leaf_value", "f8", leaves)]),
        child("left_child"),
        child("right_child"),
    )
