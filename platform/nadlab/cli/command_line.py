"""Runs every command: bad input becomes one sentence on stderr and exit status 2, and `--json` prints JSON alone."""

import atexit
import errno
import gc
import io
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from nadlab.errors import UserError
from nadlab.interrupts import Stopped, Stopping
from nadlab.json_text import strict_json
from nadlab.network import exempt_loopback

# otherwise the interpreter collects half a million objects of Ray, MLflow and torch at exit, for up to three seconds
atexit.register(gc.freeze)

ADVICE = {
    errno.ENOSPC: ": make room, or choose a folder on another disk",
    errno.EDQUOT: ": make room, or choose a folder on another disk",
    errno.EFBIG: ": this user may not write files of this size",
    errno.ENAMETOOLONG: ": choose a shorter name",
    errno.EACCES: ": choose a folder that you may use, or have its owner permit it",
    errno.EPERM: ": choose a folder that you may use, or have its owner permit it",
    errno.EROFS: ": choose a folder that can be written",
}
"""What to do about an error of the system."""


def run_command(command: click.Command, arguments: list[str] | None = None) -> int:
    """Run a click command and return its exit status; arguments default to the process's."""
    exempt_loopback()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a locale may lack a letter, a file's name be no text
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    for handler in logging.getLogger().handlers:
        handler.addFilter(_is_news)
    stopping = Stopping()
    try:
        with stopping.caught():
            return int(command.main(arguments, standalone_mode=False, help_option_names=["-h", "--help"]) or 0)
    except Stopped as stop:
        stopping.say()
        return 128 + stop.number
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
    except click.ClickException as error:
        _say(error.format_message())
    except UserError as error:
        _say(str(error))
    except BrokenPipeError:  # whoever read the output has enough
        _flush_or_drop()
        return 1
    except OSError as error:
        if error.errno is None:
            raise  # no message of the system: a mistake of ours
        named = error.filename2 or error.filename  # of a copy, the file that was written
        place = f"{named}: " if named else ""
        _say(f"{place}{error.strerror}{ADVICE.get(error.errno, '')}")
        _flush_or_drop()
    return 2


def _flush_or_drop() -> None:
    """Write what is left of the output, or lead it nowhere: else Python's own flush at exit fails, and with it the status."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _is_news(record: logging.LogRecord) -> bool:
    """Return whether a record tells of anything but the signal that ends this command, which SQLAlchemy takes for a fault."""
    return not (record.exc_info and isinstance(record.exc_info[1], Stopped))


def _say(sentence: str) -> None:
    """Print an error on one line, whatever the names in it hold."""
    line = " ".join(sentence.splitlines())
    shown = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in line)
    click.echo(f"error: {shown}", err=True)


STREAM = "nadlab.json"
"""the key of the context by which `echo_json` finds standard output"""


def json_option(help_text: str) -> Callable[[Any], Any]:
    """Return the option `--json`, the parameter `as_json` of a command.

    With it `echo_json` alone writes to standard output; what else this process and its children print goes to standard error.
    """
    return click.option("--json", "as_json", is_flag=True, help=help_text, callback=_set_apart)


def echo_json(value: object) -> None:
    """Write a value as one line of JSON."""
    click.echo(strict_json(value), file=click.get_current_context().meta[STREAM])


def _set_apart(context: click.Context, _parameter: click.Parameter, wanted: bool) -> bool:
    if wanted and STREAM not in context.meta:
        context.meta[STREAM] = context.with_resource(_standard_output_apart())
    return wanted


@contextmanager
def _standard_output_apart() -> Iterator[IO[str]]:
    """Give standard output, and lead all other writers of it to standard error: Ray prints, and so do its processes."""
    stdout = sys.stdout
    try:
        descriptor = stdout.fileno()
    except io.UnsupportedOperation:  # a stream of this process alone, which no child writes
        sys.stdout = sys.stderr
        try:
            yield stdout
        finally:
            sys.stdout = stdout
        return
    stdout.flush()
    kept = os.dup(descriptor)
    os.dup2(sys.stderr.fileno(), descriptor)
    try:
        sys.stdout = sys.stderr
        with open(kept, "w", encoding=stdout.encoding, errors=stdout.errors, closefd=False) as apart:
            yield apart
    finally:
        sys.stdout = stdout
        os.dup2(kept, descriptor)
        os.close(kept)
