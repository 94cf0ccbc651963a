"""Runs every command: bad input becomes one sentence on stderr and exit status 2."""

import atexit
import gc
import logging

import click

from nadlab.errors import UserError
from nadlab.interrupts import Stopped, Stopping
from nadlab.network import exempt_loopback

# otherwise the interpreter collects half a million objects of Ray, MLflow and torch at exit, for up to three seconds
atexit.register(gc.freeze)


def run_command(command: click.Command, arguments: list[str] | None = None) -> int:
    """Run a click command and return its exit status; arguments default to the process's."""
    exempt_loopback()
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    stopping = Stopping()
    try:
        with stopping.caught():
            return int(command.main(arguments, standalone_mode=False) or 0)
    except Stopped as stop:
        stopping.say()
        return 128 + stop.number
    except click.ClickException as error:
        click.echo(f"error: {error.format_message()}", err=True)
    except UserError as error:
        click.echo(f"error: {error}", err=True)
    return 2
