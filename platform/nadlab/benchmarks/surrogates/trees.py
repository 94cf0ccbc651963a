"""Ensembles of regression trees as flat arrays: they open by memory map and need no boosting library to answer.

M members (the models of a bagging ensemble), T trees in all, K nodes in all, F features. A leaf points at itself, so
walking any tree for `depth` steps ends at its leaf.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_WALKS = 1 << 21
"""Cells x trees walked at a time: a bound on memory, not on the batch."""


@dataclass(frozen=True)
class Trees:
    """feature int32, threshold and value float64, left and right int32: (K,); a cell goes left when x < threshold.

    roots int32 (T,), in the order of the members; first int32 (M,): each member's first tree; base float64 (M,): what
    a member adds to the sum of its trees.
    """

    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    value: NDArray[np.float64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    roots: NDArray[np.int32]
    first: NDArray[np.int32]
    base: NDArray[np.float64]
    depth: int

    def predict(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return each member's prediction, (N, F) -> (N, M)."""
        step = max(1, _WALKS // len(self.roots))
        parts = [self._predict(features[start : start + step]) for start in range(0, len(features), step)]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.base)))

    def _predict(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        rows = np.arange(len(features))[:, None]
        node = np.broadcast_to(self.roots, (len(features), len(self.roots)))
        for _ in range(self.depth):
            goes_left = features[rows, self.feature[node]] < self.threshold[node]
            node = np.where(goes_left, self.left[node], self.right[node])
        return np.asarray(np.add.reduceat(self.value[node], self.first, axis=1) + self.base)


@dataclass(frozen=True)
class Tree:
    """One tree as its library stores it: children by index, -1 at a leaf; `value` is read at leaves alone."""

    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    value: NDArray[np.float64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]


@dataclass(frozen=True)
class Model:
    """One member: its trees and what it adds to their sum."""

    trees: tuple[Tree, ...]
    base: float


def ensemble(models: Iterable[Model], features: int) -> Trees:
    """Join members into one ensemble over `features` features.

    Raises ValueError when there is no tree, or one has a child, or a feature, that it cannot have.
    """
    members = list(models)
    trees = [tree for member in members for tree in member.trees]
    if not trees or any(not member.trees for member in members):
        raise ValueError("a model without trees")
    if not np.isfinite([member.base for member in members]).all():
        raise ValueError("a base that is not a number")
    depth = max(_depth(tree, features) for tree in trees)
    sizes = np.array([len(tree.feature) for tree in trees])
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    leaves = np.concatenate([tree.left < 0 for tree in trees])
    itself = np.arange(sizes.sum())

    def children(parts: list[NDArray[np.int32]]) -> NDArray[np.int32]:
        moved = np.concatenate(parts) + np.repeat(roots, sizes)
        return np.where(leaves, itself, moved).astype(np.int32)

    return Trees(
        np.where(leaves, 0, np.concatenate([tree.feature for tree in trees])).astype(np.int32),
        np.concatenate([tree.threshold for tree in trees]).astype(np.float64),
        np.where(leaves, np.concatenate([tree.value for tree in trees]), 0.0).astype(np.float64),
        children([tree.left for tree in trees]),
        children([tree.right for tree in trees]),
        roots.astype(np.int32),
        np.concatenate([[0], np.cumsum([len(member.trees) for member in members])[:-1]]).astype(np.int32),
        np.array([member.base for member in members], np.float64),
        depth,
    )


def check(trees: Trees, features: int) -> None:
    """Raise ValueError unless every index that `predict` follows exists, so that a damaged file cannot be walked."""
    nodes = len(trees.feature)
    columns = (trees.threshold, trees.value, trees.left, trees.right)
    if not nodes or any(column.shape != (nodes,) for column in columns) or not 0 <= trees.depth < nodes:
        raise ValueError("trees whose columns differ in length, or deeper than they have nodes")
    if trees.base.shape != trees.first.shape or not len(trees.first) or not len(trees.roots):
        raise ValueError("members without trees")
    pointers = (
        *((trees.left, nodes), (trees.right, nodes), (trees.roots, nodes)),
        *((trees.first, len(trees.roots)), (trees.feature, features)),
    )
    for indices, count in pointers:
        if indices.ndim != 1 or indices.dtype != np.int32 or indices.min() < 0 or indices.max() >= count:
            raise ValueError("trees that point at what does not exist")


def _depth(tree: Tree, features: int) -> int:
    """Return the longest path, checking on the way that the tree is one."""
    count = len(tree.feature)
    level, depth, seen = np.zeros(1, np.int64), 0, 1
    if not count or len({len(a) for a in (tree.threshold, tree.value, tree.left, tree.right)} | {count}) != 1:
        raise ValueError("a tree whose columns differ in length")
    while True:
        inner = level[tree.left[level] >= 0]
        if not len(inner):
            break
        level = np.concatenate([tree.left[inner], tree.right[inner]]).astype(np.int64)
        seen, depth = seen + len(level), depth + 1
        if level.min() < 0 or level.max() >= count or seen > count:
            raise ValueError("a tree whose nodes point at each other or outside it")
        if tree.feature[inner].min() < 0 or tree.feature[inner].max() >= features:
            raise ValueError("a tree that reads a feature which does not exist")
    if not np.isfinite(tree.value[tree.left < 0]).all():
        raise ValueError("a leaf that is not a number")
    return depth
