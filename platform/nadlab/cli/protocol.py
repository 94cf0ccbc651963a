"""The option `--protocol` of every command that opens benchmarks."""

from collections.abc import Callable
from typing import Any

import click


def protocol_option(default: str = "paper") -> Callable[[Any], Any]:
    """Return the option; names are checked where the benchmark is opened."""
    return click.option(
        "--protocol", default=default, show_default=True, metavar="NAME",
        help="how the benchmark is searched and judged: paper (SemiGAN-NAD's; NAS-Bench-201 by test accuracy alone), "
        "validation (search by validation, report test accuracy) or naslib (as NASLib)",
    )  # fmt: skip
