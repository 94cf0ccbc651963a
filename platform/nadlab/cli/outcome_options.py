"""The options by which studies and reports are asked for outcomes; light, for a command's start."""

import click

OUTCOME = click.option(
    "--outcome", multiple=True, metavar="NAME",
    help="what the report is about, such as regret-40 or queries-to-best (docs/outcomes.md); several times for several, the "
    "first decides",
)  # fmt: skip
SMALLEST_EFFECT = click.option(
    "--smallest-effect", type=click.FloatRange(0, min_open=True), metavar="X",
    help="smallest difference of interest in the first outcome, by which power and equivalence are judged",
)  # fmt: skip
