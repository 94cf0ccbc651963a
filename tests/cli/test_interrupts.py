"""Ctrl-C at any moment ends a command within two seconds: one line, status 130, no process left, a folder that resumes."""

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from nadlab.interrupts import INTERRUPTED, PATIENCE, Stopped, Stopping, check_arrived
from perf.processes import free_port
from tests.conftest import TOY, records_of, run_alpha

ROOT = Path(__file__).parents[2]
ALPHA = [sys.executable, "studies/ablate_alpha.py"]
NADLAB = [sys.executable, "-c", "from nadlab.cli.main import main; main()"]
SEARCH = ["search", "--method", "random-search", "--benchmark", TOY, "--seeds", "5000", "--queries", "100"]
SECONDS = 2.0


@dataclass(frozen=True)
class Ended:
    """How a command ended after Ctrl-C."""

    status: int
    words: list[str]
    seconds: float
    left: list[str]
    """processes that outlived it"""


def marked(mark: str) -> list[str]:
    """Return the commands of the processes that have a text in their environment."""
    found = []
    for file in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in file.read_bytes():
                found.append((file.parent / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue  # another user's, or it has ended
    return found


def interrupted(command: list[str], when: Callable[[float], bool]) -> Ended:
    """Start a command, send SIGINT to its process group as a terminal does, and wait for its end.

    when: seconds since the start -> whether it is the moment.
    """
    mark = uuid.uuid4().hex
    environment = os.environ | {"MARK": mark, "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}"}
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    start = time.monotonic()
    while not when(time.monotonic() - start):
        assert process.poll() is None, "it ended before"
        time.sleep(0.01)
    sent = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    process.wait(timeout=60)
    seconds = time.monotonic() - sent
    while (left := marked(mark)) and time.monotonic() < sent + seconds + PATIENCE:
        time.sleep(0.05)  # what notices by itself that its parent is gone
    words = [line for line in process.communicate()[1].splitlines() if "%|" not in line and line.strip()]
    return Ended(process.returncode, words, seconds, left)


def check(ended: Ended, line: str) -> None:
    busy = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    assert (ended.status, ended.words, ended.left) == (130, [line], [])
    assert ended.seconds < SECONDS * busy


@pytest.mark.parametrize("seconds", [0.15, 0.3, 0.6, 1.0])
@pytest.mark.parametrize("command", [ALPHA, [sys.executable, "studies/tune_semigan.py"]], ids=["study", "tuning"])
def test_while_a_script_imports(command: list[str], seconds: float, tmp_path: Path) -> None:
    check(interrupted([*command, "--out", str(tmp_path / "out")], lambda passed: passed > seconds), INTERRUPTED)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("data")
@pytest.mark.parametrize("seconds", [0.3, 1.0, 3.0, 6.0])
@pytest.mark.parametrize("concurrent", ["1", "2"])
def test_while_searches_run(concurrent: str, seconds: float, tmp_path: Path) -> None:
    asked = ["--concurrent", concurrent, "--out", str(tmp_path)]
    ended = interrupted([*NADLAB, *SEARCH, *asked], lambda passed: passed > seconds)
    bars = [line for line in ended.words if "search/s" in line or "?search" in line]
    check(Ended(ended.status, [w for w in ended.words if w not in bars], ended.seconds, ended.left), INTERRUPTED)


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.usefixtures("data")
@pytest.mark.parametrize(
    "moment", ["study.json", "mlflow.db", "tune/*", "trials/*/progress.json", "trials/*/record.json"]
)
def test_while_a_study_runs(moment: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    longer = ["--smoke", "--benchmark", TOY, "--seeds", "1", "--set", "epochs=40", "--concurrent", "1"]
    ended = interrupted([*ALPHA, *longer, "--out", str(out)], lambda _: any(out.glob(moment)))
    check(ended, f"Stopped. The records are in {out}: the same command resumes the study.")
    assert run_alpha(out, *longer) == 0
    assert [record.status for record in records_of(out)] == ["FINISHED"] * 2


def test_signal_during_a_callback_of_the_garbage_collector_ends_the_process_without_a_traceback() -> None:
    code = """
import os, signal, time, weakref
from nadlab.interrupts import Stopping
class Thing: pass
thing = Thing()
watch = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGINT) or time.sleep(0.1))
with Stopping("Gone.").caught():
    del thing
    time.sleep(60)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT / "platform")}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (130, "Gone.\n")


def test_signal_that_a_library_swallows_still_ends_the_process() -> None:
    code = """
import os, signal, time
from nadlab.interrupts import Stopping
with Stopping("Gone.").caught():
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)
    except BaseException:
        time.sleep(60)
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "platform")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, timeout=50)  # fmt: skip
    assert (done.returncode, done.stderr) == (130, "Gone.\n")


def test_signal_that_was_swallowed_stops_what_is_about_to_become_another_program() -> None:
    with Stopping().caught():
        check_arrived()
        with suppress(Stopped):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(PATIENCE / 2)
        with pytest.raises(Stopped):
            check_arrived()
    check_arrived()


def test_signal_that_arrives_in_compiled_code_ends_the_process_before_that_returns() -> None:
    code = """
import ctypes, os, signal, threading
from nadlab.interrupts import Stopping
with Stopping("Gone.").caught():
    threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    mutex, libc = ctypes.create_string_buffer(64), ctypes.CDLL(None)
    libc.pthread_mutex_lock(mutex)
    libc.pthread_mutex_lock(mutex)  # never returns to the interpreter, which would call the handler
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "platform")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, timeout=20)  # fmt: skip
    assert (done.returncode, done.stderr) == (130, "Gone.\n")


def test_process_whose_parent_ends_after_the_signal_ends_at_the_deadline() -> None:
    code = """
import os, signal, subprocess, time
from nadlab.interrupts import Stopped, Stopping, descendants
parent = subprocess.Popen(["sh", "-c", "sleep 50 & wait"])
with Stopping("Gone.").caught():
    while len(descendants()) < 2:
        time.sleep(0.01)
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)
    except Stopped:
        parent.kill()
        time.sleep(60)
"""
    mark = uuid.uuid4().hex
    environment = os.environ | {"MARK": mark, "PYTHONPATH": str(ROOT / "platform")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, text=True, check=False, timeout=40)  # fmt: skip
    assert (done.returncode, done.stderr, marked(mark)) == (130, "Gone.\n", [])


def test_error_that_a_library_raises_in_place_of_the_stop_is_a_stop() -> None:
    def fail() -> None:
        with Stopping().caught():
            try:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(PATIENCE / 2)
            finally:
                raise AssertionError("of SQLAlchemy's clean-up")

    with pytest.raises(Stopped):
        fail()


def test_stop_that_a_library_logs_as_a_fault_is_one_line() -> None:
    code = """
import click, logging, os, signal, time
from nadlab.cli.command_line import run_command
@click.command()
def command():
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)
    except BaseException:
        logging.getLogger("sqlalchemy.pool").error("Exception during reset or similar", exc_info=True)
        raise
run_command(command, [])
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "platform")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.stderr == f"{INTERRUPTED}\n"


def test_error_without_a_signal_stays_itself() -> None:
    with pytest.raises(AssertionError, match="mine"), Stopping().caught():
        raise AssertionError("mine")


def test_handlers_are_those_of_before_after_a_stop() -> None:
    before = signal.getsignal(signal.SIGINT)

    def stop() -> None:
        with Stopping().caught():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(PATIENCE)

    with pytest.raises(Stopped) as stopped:
        stop()
    assert stopped.value.number == signal.SIGINT
    assert signal.getsignal(signal.SIGINT) is before
    time.sleep(PATIENCE)  # no deadline is left


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.parametrize("answers", [False, True])
def test_while_a_server_starts_and_answers(answers: bool, tmp_path: Path) -> None:
    port = free_port()

    def ready(passed: float) -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return not answers and (tmp_path / "mlflow.db").exists() and passed > PATIENCE
        return True

    ended = interrupted([*NADLAB, "mlflow", "--folder", str(tmp_path), "--port", str(port)], ready)
    assert not [line for line in ended.words if "Traceback" in line], ended.words
    assert ended.words[-1] in (("Stopped.",) if answers else ("Stopped.", INTERRUPTED))
    check(Ended(ended.status, ended.words[-1:], ended.seconds, ended.left), ended.words[-1])
