"""Time the first minute of a user: `ablate_alpha --smoke` to its first words, its first epoch, the end of training, its end.

The study runs in a terminal of its own, once a repetition, in a new folder; nothing is warm but the disk's cache.

python perf/scale/quick_start.py --repetitions 5
"""

import os
import pty
import re
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

import click

from nadlab.cli.command_line import run_command
from nadlab.errors import UserError
from perf.measuring import as_json, show, spread

ROOT = Path(__file__).parents[2]
EVENTS = {
    "first words": re.compile(r"ablate_alpha on "),
    "first epoch": re.compile(r"\| (?!0\.0/)[\d.]+/\d+ trials"),
    "trained": re.compile(r"100%\|"),
    "report": re.compile(r"Report: "),
}
"""what the terminal shows at each moment"""

COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def smoke(arguments: tuple[str, ...]) -> dict[str, float]:
    """Run the study; return seconds from its start to each event and to its end, and the CPU seconds of the driver.

    Raises UserError with its last words when it fails.
    """
    reading, writing = pty.openpty()
    termios.tcsetwinsize(writing, (40, 140))
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "studies/ablate_alpha.py", "--smoke", "--out", f"{folder}/out", *arguments]
        started, before = time.perf_counter(), os.times()
        study = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=writing, stderr=writing)
        os.close(writing)
        found, said = dict[str, float](), ""
        while part := _read(reading):
            said += COLOURS.sub("", part)
            for name, sign in EVENTS.items():
                if name not in found and sign.search(said):
                    found[name] = time.perf_counter() - started
        if study.wait() or len(found) < len(EVENTS):
            missing = ", ".join(EVENTS.keys() - found) or "nothing"
            raise UserError(f"the study failed; of its moments {missing} did not show: {said.strip()[-500:]}")
        after = os.times()
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        return {**found, "end": time.perf_counter() - started, "driver's CPU": cpu}


def _read(terminal: int) -> str:
    try:
        return os.read(terminal, 65536).decode(errors="replace")
    except OSError:  # the other end is closed
        return ""


@click.command(help=__doc__)
@click.option("--repetitions", type=click.IntRange(1), default=5, show_default=True)
@as_json
def command(repetitions: int, as_json: bool) -> None:
    runs = [smoke(()) for _ in range(repetitions)]
    show({f"{name}, seconds": spread([run[name] for run in runs]) for name in runs[0]}, as_json)


if __name__ == "__main__":
    sys.exit(run_command(command))
