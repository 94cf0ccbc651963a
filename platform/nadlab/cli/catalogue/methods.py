"""`nadlab methods`: the search methods and their settings."""

import inspect
from typing import Any

import click

from nadlab.cli.command_line import echo_json, json_option
from nadlab.parameters.hyperparameters import Hyperparameter, hyperparameters


@click.command()
@click.argument("names", nargs=-1)
@json_option("one JSON line per method")
def methods(names: tuple[str, ...], as_json: bool) -> None:
    """List all search methods, or those in NAMES: their settings, defaults, tuning ranges and sources.

    A name may be your own `module:object`. In searches and studies, METHOD.SETTING=VALUE changes a setting.

    \b
    Example: nadlab methods bananas
             nadlab search --method bananas --set bananas.ensemble=3
    """
    from nadlab.methods.registry import SEARCHERS

    for row in [described(name) for name in names or SEARCHERS]:
        if as_json:
            echo_json(row)
        else:
            _print(row)


def described(name: str) -> dict[str, Any]:
    """Return name, source and settings of a method; raise UserError when there is none."""
    from nadlab.methods.registry import searcher

    found = searcher(name)
    about = (inspect.getdoc(found) or "").partition("\n")[0]
    settings = [_setting(setting, each) for setting, each in hyperparameters(found).items()]
    return {"method": name, "source": about, "settings": settings}


def _setting(name: str, declared: Hyperparameter) -> dict[str, Any]:
    return {
        "name": name,
        "type": getattr(declared.kind, "__name__", str(declared.kind)),
        "default": declared.default,
        "tuned": "" if declared.range is None else declared.range.text,
        "meaning": declared.meaning,
    }


def _print(row: dict[str, Any]) -> None:
    from rich.table import Table
    from rich.text import Text

    from nadlab.terminal import console

    table = Table(title=Text(f"{row['method']}: {row['source']}"), title_justify="left")
    for heading in ("setting", "type", "default", "tuned", "meaning; source"):
        table.add_column(heading, overflow="fold")
    for setting in row["settings"]:
        table.add_row(*(Text(str(value)) for value in setting.values()))
    console().print(table if row["settings"] else Text(f"{row['method']}: {row['source']} It has no settings."))
