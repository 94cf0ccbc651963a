"""A table benchmark as a container: every architecture, run, split and epoch of the official file.

Arrays of N architectures, R runs, E epochs:

| name | type, shape | what |
| --- | --- | --- |
| `keys` | int64 (N,) | `SearchSpace.identities` of the rows, ascending |
| `<dataset>/<budget>/runs` | int32 (N, R) | seed, or number, of each run; -1 where there is none |
| `<dataset>/<budget>/<split>/epochs` | int32 (E,) | epochs after which the split was measured, ascending |
| `<dataset>/<budget>/<split>/accuracy` | float32 (N, R, E) | percent; NaN where there is none |
| `<dataset>/<budget>/train/seconds` | float32 (N, R, E) | training time up to that epoch |
| `<dataset>/<budget>/<split>/seconds` | float32 (N, R) | mean time of one evaluation of another split |
| `<dataset>/parameters`, `/flops`, `/latency` | float64 (N,) | millions, millions, seconds |

A budget is the number of epochs of the whole training. Facts: the space, `answers` (benchmark -> budget -> split ->
the array prefix that answers for it) and provenance.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nadlab.benchmarks.container import Arrays, Container, open_container, write_container
from nadlab.errors import UserError
from nadlab.spaces import SPACES, space

KIND = "nadlab-archive-1"

Answers = Mapping[str, Mapping[str, Mapping[str, str]]]


@dataclass(frozen=True)
class Archive:
    """A benchmark's tables; see the module for the arrays."""

    space: str
    answers: Answers
    provenance: Mapping[str, str]
    arrays: Arrays

    def container(self) -> Container:
        """Return it as a container."""
        return Container(
            KIND, {"space": self.space, "answers": self.answers, "provenance": self.provenance}, self.arrays
        )


def write_archive(archive: Archive, path: Path) -> str:
    """Write the file in one step and return its digest; raises as `write_container` does."""
    return write_container(archive.container(), path)


def open_archive(path: Path) -> tuple[Archive, str]:
    """Map the file into memory and check the shapes of the accuracies; return it with the digest stored in it.

    Raises UserError when it is not an archive, truncated, or of another version of this format.
    """
    container, digest = open_container(path)
    if container.kind != KIND:
        raise UserError(
            f"{path} is not a benchmark archive of the form {KIND!r}: convert the official file again with this version"
        )
    try:
        facts = container.facts
        content = Archive(facts["space"], facts["answers"], facts["provenance"], container.arrays)
        _check_shapes(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{path} is a damaged benchmark archive ({error}): convert the official file again") from error
    return content, digest


def check_values(path: Path, arrays: Arrays) -> None:
    """Check the order of the keys and the range of every accuracy; raise UserError that says what is wrong."""
    if (np.diff(arrays["keys"]) <= 0).any():
        raise UserError(f"{path} has architectures out of order or twice: convert the official file again")
    for name, array in arrays.items():
        if name.endswith("/accuracy") and not ((array >= 0) & (array <= 100) | np.isnan(array)).all():
            raise UserError(f"{path}: {name} has values outside 0 to 100 percent: convert the official file again")


def _check_shapes(content: Archive) -> None:
    keys = content.arrays["keys"]
    if content.space not in SPACES or keys.dtype != np.int64 or keys.ndim != 1 or not len(keys):
        raise ValueError("no known space or no keys")
    if content.space in ("nasbench201", "natssize") and not 0 <= keys[0] <= keys[-1] < space(content.space).size:
        raise ValueError("keys of no cell")
    for budgets in content.answers.values():
        if not all(budget.isdecimal() and len(budget) < 10 for budget in budgets):
            raise ValueError("a budget that is not a number of epochs")
        for prefixes in budgets.values():
            for prefix in prefixes.values():
                accuracy, epochs = content.arrays[f"{prefix}/accuracy"], content.arrays[f"{prefix}/epochs"]
                if accuracy.dtype != np.float32 or accuracy.ndim != 3:
                    raise ValueError(f"{prefix} has no accuracies of three axes")
                if accuracy.shape[::2] != (len(keys), len(epochs)) or 0 in accuracy.shape:
                    raise ValueError(f"{prefix} does not fit the keys")
