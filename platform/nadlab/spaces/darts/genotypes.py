"""The notation of DARTS: `Genotype(normal=[('skip_connect', 0), ...], normal_concat=[2, 3, 4, 5], reduce=..., ...)`."""

import ast

from nadlab.errors import UserError

Pairs = list[tuple[str, int]]
"""Eight of (operation, source): two a node, nodes 2 to 5 in order."""
_CONCAT = ("[2, 3, 4, 5]", "range(2, 6)")


def format_genotype(pairs: Pairs) -> str:
    """Write a cell that serves as both the normal and the reduction cell."""
    return f"Genotype(normal={pairs}, normal_concat={_CONCAT[0]}, reduce={pairs}, reduce_concat={_CONCAT[0]})"


def parse_genotype(text: str, operations: tuple[str, ...]) -> Pairs:
    """Read a genotype whose two cells are equal; nothing in it is run.

    Raises UserError that says what is wrong with it.
    """
    normal, reduce = _cells(text)
    if len(normal) != 8:
        raise UserError(f"{text!r} is not a DARTS cell: it needs 8 pairs (operation, source)")
    if normal != reduce:
        raise UserError(f"{text!r} is not a DARTS cell of this space: the normal and the reduction cell must be equal")
    for place, (operation, source) in enumerate(normal):
        node = place // 2 + 2
        if operation not in operations:
            raise UserError(f"{text!r} is not a DARTS cell: {operation!r} is not one of {', '.join(operations)}")
        if not 0 <= source < node:
            raise UserError(f"{text!r} is not a DARTS cell: node {node} cannot read {source}, only 0 to {node - 1}")
    return normal


def _cells(text: str) -> tuple[Pairs, Pairs]:
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if not isinstance(call, ast.Call) or ast.unparse(call.func) != "Genotype" or call.args:
            raise ValueError("it is not a Genotype(...)")
        parts = {word.arg: word.value for word in call.keywords}
        joined = {ast.unparse(parts[name]) for name in ("normal_concat", "reduce_concat")}
        normal, reduce = (
            [(str(operation), int(source)) for operation, source in ast.literal_eval(parts[name])]
            for name in ("normal", "reduce")
        )
    except (SyntaxError, ValueError, TypeError, KeyError, RecursionError, MemoryError) as error:
        raise UserError(f"{text[:200]!r} is not a DARTS cell: write it as Genotype(normal=[...], ...)") from error
    if not joined <= set(_CONCAT):
        raise UserError(f"{text!r} is not a DARTS cell: the output must join the nodes 2 to 5")
    return normal, reduce
