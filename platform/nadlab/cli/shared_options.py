"""Options that several commands share; light, for a command's start."""

from collections.abc import Callable
from typing import Any

import click

from nadlab.errors import UserError
from nadlab.plugins import TRAINING

OUTCOME = click.option(
    "--outcome", multiple=True, metavar="NAME",
    help="what the report is about, such as regret-40 or queries-to-best (docs/outcomes.md); several times for several, the "
    "first decides",
)  # fmt: skip
SMALLEST_EFFECT = click.option(
    "--smallest-effect", type=click.FloatRange(0, min_open=True), metavar="X",
    help="smallest difference of interest in the first outcome, by which power and equivalence are judged",
)  # fmt: skip


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
