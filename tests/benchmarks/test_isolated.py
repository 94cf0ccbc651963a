"""Calls in a child process: a crash, too much memory or time, and the death of the parent."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from nadlab.benchmarks.isolated import Limits, isolated
from nadlab.errors import UserError

PLENTY = Limits(1 << 30, 60)
FILE = Path("models.zip")


def process() -> int:
    return os.getpid()


def crash() -> None:
    ctypes.string_at(0)


def abort() -> None:
    os.abort()


def leave() -> None:
    os._exit(3)


def fill() -> int:
    return len(bytearray(2 << 30))


def spin() -> None:
    while True:
        pass


def sleep() -> None:
    time.sleep(600)


def recurse(depth: int) -> int:
    return recurse(depth + 1)


def refuse() -> None:
    raise UserError("x.zip is refused")


def full() -> None:
    raise OSError(28, "No space left on device")


def test_a_value_comes_back_from_another_process_that_serves_again() -> None:
    first = isolated(process, (), FILE, PLENTY)
    assert first != os.getpid()
    assert isolated(process, (), FILE, PLENTY) == first


@pytest.mark.parametrize(
    ("call", "arguments", "sentence"),
    [
        (crash, (), "models.zip makes its reader crash .SIGSEGV."),
        (abort, (), "models.zip makes its reader crash .SIGABRT."),
        (leave, (), "models.zip makes its reader crash .status 3."),
        (fill, (), "models.zip takes more than 1.0 GiB of memory"),
        (spin, (), "models.zip takes longer than 1 seconds"),
        (sleep, (), "models.zip takes longer than 1 seconds"),
        (recurse, (0,), "models.zip cannot be read .RecursionError"),
        (refuse, (), "^x.zip is refused$"),
    ],
)
def test_whatever_ends_a_call_becomes_one_sentence(call: object, arguments: tuple[int, ...], sentence: str) -> None:
    assert callable(call)
    with pytest.raises(UserError, match=sentence):
        isolated(call, arguments, FILE, Limits(1 << 30, 1))
    assert isolated(process, (), FILE, PLENTY) != os.getpid()


def test_an_error_of_the_system_stays_one() -> None:
    with pytest.raises(OSError, match="No space left"):
        isolated(full, (), FILE, PLENTY)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_child_ends_with_its_parent(number: int) -> None:
    code = "from tests.benchmarks.test_isolated import *; print(isolated(process, (), FILE, PLENTY), flush=True); isolated(sleep, (), FILE, PLENTY)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        time.sleep(0.2)
        parent.send_signal(number)
    _, alive = psutil.wait_procs([child], timeout=20)
    assert not alive


def test_it_works_in_a_forked_and_in_a_spawned_process() -> None:
    isolated(process, (), FILE, PLENTY)
    code = "import multiprocessing as m, sys; from tests.benchmarks.test_isolated import *\nif __name__ == '__main__':\n isolated(process, (), FILE, PLENTY)\n with m.get_context(sys.argv[1]).Pool(1) as pool: print(pool.apply(isolated, (process, (), FILE, PLENTY)))"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    for how in ("fork", "spawn"):
        done = subprocess.run(
            [sys.executable, "-c", code, how], capture_output=True, text=True, check=True, env=environment, timeout=120
        )
        assert done.stdout.strip().isdigit()
