"""How a trial was trained: its epochs in segments, each with the pack it was in, the precision and the compute backend."""

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Segment:
    """Epochs that were trained in one way."""

    first: int
    """1 for the first epoch"""
    last: int
    pack: list[str] | None
    """ids of the trials in its program, itself among them; None: alone"""
    precision: str
    backend: str
    """`cuda`, `accelerator` or `torch`"""


def extended(segments: Sequence[Segment], new: Segment) -> list[Segment]:
    """Return segments with a later one; one that was trained as the last is joined to it, wherever a kill came."""
    if segments and replace(segments[-1], first=new.first, last=new.last) == new:
        return [*segments[:-1], replace(segments[-1], last=new.last)]
    return [*segments, new]


def largest_pack(segments: Sequence[Segment]) -> int:
    """Return how many trials the largest pack had; 0 for a trial that was always alone."""
    return max((len(each.pack) for each in segments if each.pack), default=0)


def training_text(segments: Sequence[Segment]) -> str:
    """Return how a trial was trained in words, such as `epochs 1 to 20 in a pack of 2 (accelerator, float32)`."""
    return ", ".join(
        f"epochs {each.first} to {each.last} {f'in a pack of {len(each.pack)}' if each.pack else 'alone'} "
        f"({each.backend}, {each.precision})"
        for each in segments
    )
