"""What a search space promises, checked on a few of its cells: one sentence for each broken promise."""

from collections.abc import Callable, Iterator

import numpy as np

from nadlab.errors import UserError
from nadlab.spaces.cells import Cells, SearchSpace, changes, concatenate

DRAWN = 24
"""cells that every promise is checked on"""
NEAR = 4
"""cells whose changes are proposed too: where few graphs are cells, those nearby are the likely ones"""
LISTED = 20_000
"""cells up to which a space is listed for the check"""


def broken_promises(space: SearchSpace) -> list[str]:
    """Return a sentence for each promise of `SearchSpace` that a space breaks; empty where it keeps all of them.

    Sentences of one method end the check, since the others build on it.
    """
    steps: tuple[Callable[[SearchSpace], Iterator[str]], ...] = (
        _attributes, _listing, _samples, _any_cells, _canonical_forms, _notation, _neighbours, _output,
    )  # fmt: skip
    for step in steps:
        broken: list[str] = []
        try:
            broken += step(space)
        except Exception as error:  # whatever the space's own code raises is what the check is about
            words = f": {error}" if str(error) else ""
            raised = f"checking its {step.__name__.strip('_').replace('_', ' ')} raised {type(error).__name__}{words}"
            broken = broken or [raised]  # after a sentence it follows from what that says
        if broken:
            return broken
    return []


def _drawn(space: SearchSpace) -> Cells:
    return space.sample(DRAWN, np.random.default_rng(0))


def _attributes(space: SearchSpace) -> Iterator[str]:
    if not isinstance(space.name, str) or not space.name.isprintable() or not space.name:
        yield f"`name` must be text, not {space.name!r}"
    labels = space.operations
    if not isinstance(labels, tuple) or not all(isinstance(label, str) for label in labels):
        yield f"`operations` must be a tuple of text, not {labels!r}"
    elif not 1 <= len(set(labels)) == len(labels) <= 255:
        yield f"`operations` must be 1 to 255 different labels, not {labels!r}"
    if not isinstance(space.vertices, int) or not 2 <= space.vertices <= 62:
        yield f"`vertices` must be a whole number from 2 to 62, not {space.vertices!r}"


def _samples(space: SearchSpace) -> Iterator[str]:
    cells = _drawn(space)
    yield from form(cells, space, DRAWN, "`sample`")
    if not _same(cells, _drawn(space)):
        yield "`sample` must draw from `rng` alone: two equal generators gave different cells"
    reasons = space.invalid_reasons(cells)
    if not isinstance(reasons, list) or len(reasons) != DRAWN:
        yield f"`invalid_reasons` must return a list with an entry for each of {DRAWN} cells, not {reasons!r}"
    elif any(reasons):
        yield f"`sample` drew a cell that `invalid_reasons` refuses: {next(filter(None, reasons))}"


def _any_cells(space: SearchSpace) -> Iterator[str]:
    """Check what methods propose: any labels and any edges from an earlier to a later vertex."""
    rng, vertices = np.random.default_rng(1), space.vertices
    adjacency = np.triu(rng.integers(0, 2, (DRAWN, vertices, vertices)), 1).astype(np.uint8)
    labels = rng.integers(0, len(space.operations), (DRAWN, vertices)).astype(np.uint8)
    drawn = _drawn(space)
    near = concatenate([changes(drawn[place : place + 1], len(space.operations)) for place in range(NEAR)])
    any_cells = Cells(np.concatenate([adjacency, drawn.adjacency]), np.concatenate([labels, labels]))
    proposed = concatenate([any_cells, near])
    reasons = space.invalid_reasons(proposed)
    if len(reasons) != len(proposed) or not all(reason is None or isinstance(reason, str) for reason in reasons):
        yield "`invalid_reasons` must return None or a sentence for any cell"
        return
    valid = np.array([reason is None for reason in reasons], bool)
    for cells in (drawn, proposed[valid], drawn[:0]):
        keys = space.keys(cells)
        if getattr(keys, "dtype", None) != np.int64 or keys.shape != (len(cells),):
            yield f"`keys` must return int64 of shape ({len(cells)},), not {_form(keys)}"
            return
    try:
        space.canonical(proposed[valid])
    except UserError as error:
        yield f"`invalid_reasons` accepts a cell that the space does not have: {error}"


def _canonical_forms(space: SearchSpace) -> Iterator[str]:
    cells = _drawn(space)
    canonical, keys = space.canonical(cells), space.keys(cells)
    yield from form(canonical, space, DRAWN, "`canonical`")
    if any(space.invalid_reasons(canonical)):
        yield "`canonical` returned a cell that `invalid_reasons` refuses"
    elif (space.keys(canonical) != keys).any():
        yield "`canonical` must keep a cell's key"
    elif not _same(space.canonical(canonical), canonical):
        yield "`canonical` must return a canonical cell as it is"


def _notation(space: SearchSpace) -> Iterator[str]:
    for cell in _drawn(space)[:8]:
        text = space.format(cell)
        if not isinstance(text, str) or not text.isprintable():
            yield f"`format` must return one line of text, not {text!r}"
            return
        again = space.parse(text)
        yield from form(again, space, 1, "`parse`")
        if space.keys(again)[0] != space.keys(cell)[0] or space.format(again) != text:
            yield f"`parse` must read back what `format` writes: {text} became {space.format(again)}"
            return
    try:
        space.parse("?")
    except UserError:
        return
    yield "`parse` must raise UserError for text that is not a cell, such as '?'"


def _neighbours(space: SearchSpace) -> Iterator[str]:
    for cell in _drawn(space)[:4]:
        near = space.neighbours(cell)
        yield from form(near, space, len(near), "`neighbours`")
        if any(space.invalid_reasons(near)):
            yield f"`neighbours` returned a cell that `invalid_reasons` refuses: {next(filter(None, space.invalid_reasons(near)))}"
            return
        identities = space.identities(near)
        if len(np.unique(identities)) < len(near):
            yield "`neighbours` returned a cell twice"
            return
        if space.identities(cell)[0] in identities:
            yield "`neighbours` returned the cell itself"
            return


def _listing(space: SearchSpace) -> Iterator[str]:
    size = space.size
    whole = isinstance(size, int | np.integer)
    cells = None if whole and size > LISTED else _listed(space)
    if cells is not None:
        yield from form(cells, space, len(getattr(cells, "operations", ())), "`enumerate`")
    if not whole or size < 2:
        yield f"`size` must be a whole number of at least 2 cells, not {size!r}"
    if cells is None:
        return
    if len(cells) != size:
        yield f"`enumerate` lists {len(cells)} cells, and `size` is {size}"
    flat = np.concatenate([cells.operations, cells.adjacency.reshape(len(cells), -1)], axis=1)
    if len(np.unique(flat, axis=0)) < len(cells):
        yield "`enumerate` lists a cell twice"
    if not _same(cells, getattr(space, "own", space).enumerate()):  # `space` keeps its first answer
        yield "`enumerate` must list the cells in the same order each time"
    if any(space.invalid_reasons(cells)):
        yield f"`enumerate` lists a cell that `invalid_reasons` refuses: {next(filter(None, space.invalid_reasons(cells)))}"


def _output(space: SearchSpace) -> Iterator[str]:
    listed = None if space.size > LISTED else _listed(space)
    cells = _drawn(space) if listed is None else listed
    if not cells.adjacency[:, :, -1].any():
        yield "no cell has an edge into the last vertex, which is the output"


def _listed(space: SearchSpace) -> Cells | None:
    """Return the cells of a space, None where it has no `enumerate` of its own."""
    return space.enumerate() if hasattr(getattr(space, "own", space), "enumerate") else None


def form(cells: Cells, space: SearchSpace, count: int, source: str) -> Iterator[str]:
    """Yield what is wrong with the arrays of cells that a method returned."""
    shapes = {"adjacency": (count, space.vertices, space.vertices), "operations": (count, space.vertices)}
    for name, shape in shapes.items():
        array = getattr(cells, name, None)
        if getattr(array, "dtype", None) != np.uint8 or getattr(array, "shape", None) != shape:
            yield f"{source} must return Cells whose {name} is uint8 of shape {shape}, not {_form(array)}"
            return
    if np.tril(cells.adjacency).any() or (cells.adjacency > 1).any():
        yield f"{source} returned an adjacency that is not 0s and 1s above the diagonal"
    if (cells.operations >= len(space.operations)).any():
        yield f"{source} returned a label that is not a place in `operations`"


def _form(value: object) -> str:
    dtype, shape = getattr(value, "dtype", None), getattr(value, "shape", None)
    return repr(value) if shape is None else f"{dtype} of shape {shape}"


def _same(one: Cells, other: Cells) -> bool:
    return bool((one.adjacency == other.adjacency).all() and (one.operations == other.operations).all())
