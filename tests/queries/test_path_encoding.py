"""What is read off the cells of the published spaces is what was published: inputs, operations, paths, choices."""

from itertools import combinations, pairwise, product

import numpy as np
import pytest
from numpy.typing import NDArray

from nadlab.queries.path_encoding import path_encoding, paths_of
from nadlab.searchers.models.choices import choices_of
from nadlab.spaces import Cells, complete, space

STARTS = {"nasbench101": 1, "nasbench201": 1, "darts": 2}
LONGEST = {"nasbench101": 5, "nasbench201": 3, "darts": 4}
KINDS = {"nasbench101": 3, "nasbench201": 5, "darts": 7}


def written_out(cells: Cells, name: str) -> NDArray[np.bool_]:
    """The encoding by the numbers above: labels of operations follow the inputs' in the list of labels."""
    starts, kinds, last = STARTS[name], KINDS[name], cells.operations.shape[1] - 1
    offsets = np.cumsum([0, *(starts * kinds**length for length in range(LONGEST[name] + 1))])
    encoded = np.zeros((len(cells), int(offsets[-1])), bool)
    labels = cells.operations.astype(np.int64) - starts
    for start in range(starts):
        for length in range(LONGEST[name] + 1):
            for middle in combinations(range(starts, last), length):
                route = (start, *middle, last)
                rows = np.flatnonzero(np.all([cells.adjacency[:, a, b] > 0 for a, b in pairwise(route)], axis=0))
                number = np.full(len(cells), start)
                for vertex in middle:
                    number = number * kinds + labels[:, vertex]
                encoded[rows, offsets[length] + number[rows]] = True
    return encoded


@pytest.mark.parametrize("name", list(STARTS))
def test_path_encoding_read_off_the_cells_is_the_published_one(name: str) -> None:
    paths = paths_of(space(name))
    assert (len(paths.starts), paths.longest, paths.kinds) == (STARTS[name], LONGEST[name], KINDS[name])
    cells = space(name).sample(500, np.random.default_rng(0))
    encoded = path_encoding(cells, space(name))
    assert encoded.any(axis=1).all()
    assert (encoded == written_out(cells, name)).all()
    near = space(name).neighbours(cells[:1])
    assert (path_encoding(near, space(name)) == written_out(near, name)).all()


def test_choices_read_off_the_cells_of_nasbench201_are_its_six_operations() -> None:
    nasbench201 = space("nasbench201")
    cells, choices = nasbench201.enumerate(), choices_of(nasbench201)
    sequences = choices.encode(cells)
    assert choices.sizes.tolist() == [5] * 6
    assert (sequences == cells.operations[:, 1:-1].astype(np.int64) - 1).all()
    made = choices.decode(sequences)
    assert (made.operations == cells.operations).all()
    assert (made.adjacency == cells.adjacency).all()
    assert made.adjacency.dtype == made.operations.dtype == np.uint8


def test_cells_whose_paths_are_all_too_long_are_told_apart_by_their_labels() -> None:
    size = space("natssize")
    cells = size.sample(500, np.random.default_rng(0))
    encoded = path_encoding(cells, size, 2)
    assert len(np.unique(encoded, axis=0)) == len(np.unique(size.keys(cells)))
    one, other = (path_encoding(size.parse(text), size)[0] for text in ("8:8:8:8:8", "8:8:8:8:64"))
    assert (one != other).sum() == 2


class Chain:
    """Four layers in a row with three labels each: one path, of four operations."""

    name = "chain"
    operations = ("input", "a", "b", "c", "output")
    vertices = 6

    def enumerate(self) -> Cells:
        labels = np.array([(0, *inner, 4) for inner in product((1, 2, 3), repeat=4)], np.uint8)
        return Cells(np.repeat(np.eye(6, k=1, dtype=np.uint8)[None], len(labels), axis=0), labels)

    def invalid_reasons(self, cells: Cells) -> list[str | None]:
        known = set(map(bytes, self.enumerate().operations))
        chained = (cells.adjacency == np.eye(6, k=1)).all(axis=(1, 2))
        return [
            None if row and bytes(labels) in known else "no chain"
            for row, labels in zip(chained, cells.operations, strict=True)
        ]

    def keys(self, cells: Cells) -> NDArray[np.int64]:
        return np.asarray(cells.operations[:, 1:5].astype(np.int64) @ np.array([64, 16, 4, 1]), np.int64)


@pytest.mark.parametrize("longest", [None, 2])
def test_cells_of_one_path_are_as_near_as_their_labels(longest: int | None) -> None:
    chain = complete(Chain)
    cells = chain.enumerate()
    encoded = path_encoding(cells, chain, longest)
    assert len(np.unique(encoded, axis=0)) == 81
    assert [(encoded[0] != encoded[row]).sum() for row in (1, 4)] == [2, 4]
