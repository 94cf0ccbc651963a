"""LightGBM models in LightGBM's own text form, which its pickles hold -> trees."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nadlab.benchmarks.surrogates.trees import Model, Tree
from nadlab.errors import UserError


def read_lightgbm(text: str, best_iteration: int, where: str) -> Model:
    """Read a regression model; as its `predict`, stop at the best iteration where early stopping found one.

    Raises UserError when it is damaged, of another kind, or lightgbm is not installed.
    """
    try:
        import lightgbm
    except ImportError as error:
        raise UserError(f"{where} is a LightGBM model: run pip install 'nadlab[nasbench301]' to read it") from error
    try:
        # the training parameters at the end do not matter here, and today's LightGBM warns of those it dropped
        booster = lightgbm.Booster(model_str=text.partition("\nparameters:")[0])
        dumped = booster.dump_model(num_iteration=max(best_iteration, 0) or None)
        if not str(dumped["objective"]).startswith("regression") or dumped["num_tree_per_iteration"] != 1:
            raise ValueError(f"the objective {dumped['objective']!r}")
        if dumped["average_output"]:
            raise ValueError("a forest")
        return Model(tuple(_tree(tree["tree_structure"]) for tree in dumped["tree_info"]), 0.0)
    except (lightgbm.basic.LightGBMError, ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise UserError(f"{where} holds no LightGBM model of regression trees ({error}); download it again") from error


def _tree(root: dict[str, Any]) -> Tree:
    columns: dict[str, list[float]] = {name: [] for name in ("feature", "threshold", "value", "left", "right")}
    _add(columns, root)

    def column(name: str, kind: str) -> NDArray[Any]:
        return np.array(columns[name], kind)

    return Tree(
        column("feature", "i4"),
        column("threshold", "f8"),
        column("value", "f8"),
        column("left", "i4"),
        column("right", "i4"),
    )


def _add(columns: dict[str, list[float]], node: dict[str, Any]) -> int:
    place = len(columns["left"])
    leaf = "split_feature" not in node
    if not leaf and (node["decision_type"] != "<=" or node["missing_type"] == "Zero"):
        raise ValueError("a tree that splits by categories or by zero")
    columns["feature"].append(0 if leaf else node["split_feature"])
    # x <= t goes left there, x < t here
    columns["threshold"].append(0.0 if leaf else float(np.nextafter(node["threshold"], np.inf)))
    columns["value"].append(node["leaf_value"] if leaf else 0.0)
    columns["left"].append(-1)
    columns["right"].append(-1)
    if not leaf:
        columns["left"][place] = _add(columns, node["left_child"])
        columns["right"][place] = _add(columns, node["right_child"])
    return place
