"""Where tables are printed."""

import os

from rich.console import Console

FILE_WIDTH = 160
"""characters of a line that goes to a file or a pipe: the 80 that rich would take break words"""


def console() -> Console:
    """Return a console of the terminal's width, or $COLUMNS; elsewhere of `FILE_WIDTH`."""
    plain = Console(emoji=False)  # a benchmark's name may hold what it would take for one, such as :sleeping:
    return plain if plain.is_terminal or "COLUMNS" in os.environ else Console(width=FILE_WIDTH, emoji=False)
