"""NAS-Bench-Graph (Qin et al. 2022): graph neural networks of four computing nodes and nine operations, 26,206 cells.

Every node takes one input, the raw features (0) or an earlier node (1 to 3), and the nodes without descendants lead to
the output. The notation is the package's, `Arch([0, 1, 2, 1], ['gcn', 'gin', 'fc', 'cheb'])`: the input of each node,
then its operation.

The package counts strings as one network when they differ by the order of the nodes or by a `skip` that does nothing:
one whose output is another node's input, the only one that reads its input, or one that leads from the raw features to
the output. Such skips are moved to the front, where they are one chain. A cell's key is the least number of its strings
after that, and equals `Arch.valid_hash()`: the place of the links in `LINKS`, then a decimal digit for each operation.
"""

import re
from functools import cache
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from nadlab.errors import UserError
from nadlab.spaces.cells import Cells, Keys, first_broken

NODES = 4
NODE_OPERATIONS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
SKIP = NODE_OPERATIONS.index("skip")
LINKS = (
    (0, 0, 0, 0), (0, 0, 0, 1), (0, 0, 1, 1), (0, 0, 1, 2), (0, 0, 1, 3), (0, 1, 1, 1), (0, 1, 1, 2), (0, 1, 2, 2),
    (0, 1, 2, 3),
)  # fmt: skip
"""One for each of the nine shapes of a tree of the input and four nodes."""

_VERTICES = NODES + 2
_PLACES = 10 ** np.arange(NODES)[::-1]
_ALL_SKIP = 88_888
"""the key of nothing but skips, which is not a network"""
_EVERY_LINK = np.array(list(product(*(range(node + 1) for node in range(NODES)))))
_LINK_PLACES = np.array([0, 12, 4, 1])
_EVERY_CHOICE = np.array(list(product(range(len(NODE_OPERATIONS)), repeat=NODES)), np.uint8)
_NOTATION = re.compile(r"(?:Arch\()?\s*\[([\d\s,]*)\]\s*,\s*\[([\w\s,'\"]*)\]\s*\)?")


class NASBenchGraph:
    """The search space; see `SearchSpace` for each method's contract."""

    name = "nasbenchgraph"
    operations = ("input", *NODE_OPERATIONS, "output")
    vertices = _VERTICES

    def enumerate(self) -> Cells:
        return cells_of_keys(all_keys())

    def invalid_reasons(self, cells: Cells) -> list[str | None]:
        output = len(self.operations) - 1
        inner = cells.operations[:, 1:-1]
        among_nodes = cells.adjacency[:, 1:-1, 1:-1]
        leaves = ~among_nodes.any(axis=2)
        rules = [
            (
                (cells.operations[:, 0] != 0) | (cells.operations[:, -1] != output),
                "the first vertex must be 'input' and the last 'output'",
            ),
            (((inner == 0) | (inner >= output)).any(axis=1), "'input' or 'output' stands on an inner vertex"),
            (np.tril(cells.adjacency).any(axis=(1, 2)), "the adjacency matrix must be upper triangular"),
            (
                (cells.adjacency[:, :, 1:-1].sum(axis=1) != 1).any(axis=1),
                "every computing node must take exactly one input",
            ),
            (
                (cells.adjacency[:, 0, -1] > 0) | ((cells.adjacency[:, 1:-1, -1] > 0) != leaves).any(axis=1),
                "exactly the nodes without descendants must lead to the output",
            ),
            ((inner == SKIP + 1).all(axis=1), "every node is 'skip', which is not a network"),
        ]
        return first_broken(rules)

    def keys(self, cells: Cells) -> Keys:
        return _keys_of_strings()[_strings_of(cells)]

    def parse(self, text: str) -> Cells:
        found = _NOTATION.fullmatch(text.strip())
        if found is None:
            raise UserError(
                f"{text!r} is not a NAS-Bench-Graph cell: write it as Arch([0, 1, 2, 1], ['gcn', 'gin', 'fc', 'cheb'])"
            )
        links, labels = ([part.strip(" '\"") for part in group.split(",")] for group in found.groups())
        if len(links) != NODES or len(labels) != NODES:
            raise UserError(f"{text!r} is not a NAS-Bench-Graph cell: it needs {NODES} inputs and {NODES} operations")
        for node, (link, label) in enumerate(zip(links, labels, strict=True), start=1):
            if link not in map(str, range(node)):
                raise UserError(
                    f"{text!r} is not a NAS-Bench-Graph cell: node {node} takes its input from 0 to {node - 1}, not {link!r}"
                )
            if label not in NODE_OPERATIONS:
                raise UserError(
                    f"{text!r} is not a NAS-Bench-Graph cell: operation {label!r} is not one of {', '.join(NODE_OPERATIONS)}"
                )
        cell = cells_of(
            np.array([list(map(int, links))]), np.array([[NODE_OPERATIONS.index(label) for label in labels]])
        )
        reason = self.invalid_reasons(cell)[0]
        if reason:
            raise UserError(f"{text!r} is not a NAS-Bench-Graph cell: {reason}")
        return cell

    def format(self, cell: Cells) -> str:
        labels = [self.operations[label] for label in cell.operations[0, 1:-1]]
        return f"Arch({links_of(cell)[0].tolist()}, {labels})"

    def neighbours(self, cell: Cells) -> Cells:
        """Return the cells that another input or operation of one node makes of any string of this cell."""
        key = self.keys(cell)[0]
        links, choices = np.divmod(np.flatnonzero(_keys_of_strings() == key), len(_EVERY_CHOICE))
        table = _keys_of_strings().reshape(len(_EVERY_LINK), len(_EVERY_CHOICE))
        changed = [table[_links_near(link), choice] for link, choice in zip(links, choices, strict=True)]
        changed += [table[link, _choices_near(choice)] for link, choice in zip(links, choices, strict=True)]
        near = np.unique(np.concatenate(changed))
        return cells_of_keys(near[(near != key) & (near != _ALL_SKIP)])


def cells_of(links: NDArray[np.integer], choices: NDArray[np.integer]) -> Cells:
    """Build cells from the input of each node and indices into NODE_OPERATIONS, both (N, 4)."""
    count = len(links)
    adjacency = np.zeros((count, _VERTICES, _VERTICES), np.uint8)
    for node in range(NODES):
        adjacency[np.arange(count), links[:, node], node + 1] = 1
    adjacency[:, 1:-1, -1] = ~adjacency[:, 1:-1, 1:-1].any(axis=2)
    operations = np.zeros((count, _VERTICES), np.uint8)
    operations[:, 1:-1] = choices + 1
    operations[:, -1] = len(NODE_OPERATIONS) + 1
    return Cells(adjacency, operations)


def links_of(cells: Cells) -> NDArray[np.int64]:
    """Return the input of each node of valid cells, (N, 4)."""
    return np.asarray(cells.adjacency[:, :, 1:-1].argmax(axis=1), np.int64)


def cells_of_keys(keys: Keys) -> Cells:
    """Decode canonical keys, shape (N,), into cells."""
    links, choices = np.divmod(keys, 10**NODES)
    return cells_of(np.array(LINKS)[links], choices[:, None] // _PLACES % 10)


@cache
def all_keys() -> Keys:
    """Return the key of every cell, in ascending order; none can be written to."""
    keys: Keys = np.setdiff1d(_keys_of_strings(), [_ALL_SKIP])
    keys.flags.writeable = False
    return keys


def _strings_of(cells: Cells) -> NDArray[np.int64]:
    links = links_of(cells) @ _LINK_PLACES
    choices = (cells.operations[:, 1:-1].astype(np.int64) - 1) @ (len(NODE_OPERATIONS) ** np.arange(NODES)[::-1])
    return np.asarray(links * len(_EVERY_CHOICE) + choices, np.int64)


@cache
def _links_near(row: int) -> NDArray[np.int64]:
    return np.flatnonzero((_EVERY_LINK[row] != _EVERY_LINK).sum(axis=1) == 1)


@cache
def _choices_near(row: int) -> NDArray[np.int64]:
    return np.flatnonzero((_EVERY_CHOICE[row] != _EVERY_CHOICE).sum(axis=1) == 1)


@cache
def _keys_of_strings() -> Keys:
    """Return the key of each of the 24 x 9^4 strings, those of nothing but skips included."""
    skips = _EVERY_CHOICE == SKIP
    keys = np.empty((len(_EVERY_LINK), len(_EVERY_CHOICE)), np.int64)
    for row, links in enumerate(_EVERY_LINK.tolist()):
        for pattern in product((False, True), repeat=NODES):
            here = (skips == pattern).all(axis=1)
            place, orders = _canonical_orders(_tidied(links, pattern))
            keys[row, here] = place * 10**NODES + (_EVERY_CHOICE[here][:, orders] @ _PLACES).min(axis=1)
    return keys.ravel()


def _tidied(links: list[int], skips: tuple[bool, ...]) -> dict[int, int]:
    """Return node -> its input after the skips that do nothing are moved to the front; nodes from 1, the input is 0."""
    parents = dict(enumerate(links, start=1))
    front: list[int] = []
    for node in sorted(parents):
        parent = parents[node]
        children = [each for each, its in parents.items() if its == node]
        alone = list(parents.values()).count(parent) == 1
        if skips[node - 1] and (children or alone or parent == 0):
            parents |= dict.fromkeys(children, parent)
            del parents[node]
            front.append(node)
    last = front[-1] if front else 0
    chain = dict(zip(front, [0, *front], strict=False))
    return {node: parent or last for node, parent in parents.items()} | chain


def _canonical_orders(parents: dict[int, int]) -> tuple[int, NDArray[np.int64]]:
    """Return the place in LINKS of a tree's shape, and every order of its nodes (from 0) that spells it so, (P, 4)."""
    spelt = {
        order: tuple(order.index(parents[node]) + 1 if parents[node] else 0 for node in order)
        for order in permutations(parents)
    }
    orders = [order for order, links in spelt.items() if links in LINKS]
    return LINKS.index(spelt[orders[0]]), np.array(orders) - 1
