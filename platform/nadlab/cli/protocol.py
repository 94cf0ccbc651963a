"""The option `--protocol` of every command that opens benchmarks."""

from collections.abc import Callable
from typing import Any

import click

from nadlab.errors import UserError
from nadlab.plugins import TRAINING


def protocol_option(default: str = "paper") -> Callable[[Any], Any]:
    """Return the option; names are checked where the benchmark is opened."""
    return click.option(
        "--protocol", default=default, show_default=True, metavar="NAME",
        help="how the benchmark is searched and judged: paper (SemiGAN-NAD's; NAS-Bench-201 by test accuracy alone), "
        "validation (search by validation, report test accuracy) or naslib (as NASLib)",
    )  # fmt: skip


def in_space(name: str, space: str | None) -> str:
    """Return the name of a benchmark `train:SOURCE` with a search space; raise UserError for another, or one that names a space."""
    if space is None:
        return name
    if not name.startswith(TRAINING) or "@space=" in name:
        raise UserError(f"--space names the space of a benchmark train:SOURCE without @space=, not that of {name}")
    return f"{name}@space={space}"
