"""Rows as a table on the screen."""

from typing import Any, Literal


def print_table(title: str, rows: list[dict[str, Any]], places: int = 2) -> None:
    """Print rows of the same keys, the headings; places: of decimals, but of seconds."""
    from rich.table import Table
    from rich.text import Text

    from nadlab.terminal import console

    # as Text: a name may hold brackets, which rich would take for its markup
    table = Table(title=Text(title))
    for key, value in rows[0].items():
        side: Literal["left", "right"] = "left" if isinstance(value, str) else "right"
        table.add_column(key.replace("_", " "), justify=side, no_wrap=key == "name", overflow="fold")
    for row in rows:
        texts = (_cell(v, 2 if key == "seconds" else places) for key, v in row.items())
        table.add_row(*map(Text, texts))
    console().print(table)


def _cell(value: Any, places: int) -> str:
    return "" if value is None else f"{value:.{places}f}" if isinstance(value, float) else str(value)
