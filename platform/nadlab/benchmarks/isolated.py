"""Calls in a child process with limits on memory and time: a parser that a file crashes ends in one sentence.

One child serves a process and is started anew after a crash. It answers in JSON, so nothing that it says is trusted.
"""

import atexit
import ctypes
import json
import os
import pickle
import resource
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from threading import Lock
from typing import Any

from nadlab.errors import UserError
from nadlab.json_text import strict_json

_PATIENCE = 10
"""Seconds on the clock for a second of computing: another process may have the cores, the file may come by network."""
_LONGEST_ANSWER = 1 << 20
_PR_SET_PDEATHSIG = 1
# threads reserve address space, which is limited
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
_START = "import sys; from nadlab.benchmarks.isolated import serve; serve(int(sys.argv[1]), int(sys.argv[2]))"


@dataclass(frozen=True)
class Limits:
    """What one call may use."""

    memory: int
    """bytes of address space beyond what the child has before the call"""
    seconds: int
    """of computing; on the clock, ten times that"""


def isolated(call: Callable[..., Any], arguments: tuple[Any, ...], where: Path, limits: Limits) -> Any:
    """Return what `call` returns in the child; call and arguments must be picklable, the value JSON.

    Raises UserError that names the file `where` when the child crashes, is out of memory or time, or raises anything
    unforeseen; UserError and OSError as the call raises them.
    """
    return _child(os.getpid()).run(call, arguments, where, limits)


def die_with_parent() -> None:
    """Let the kernel kill this process when the one that started it ends, even by SIGKILL; on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def serve(handle: int, parent: int) -> None:
    """Answer calls until the parent closes the connection: the child's own program."""
    die_with_parent()
    if os.getppid() != parent:
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which then ends this process
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # progress bars are shown; what libraries print themselves, such as an abort's last words, is not
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8")
    with open(os.devnull, "w", encoding="utf-8") as nothing:
        os.dup2(nothing.fileno(), 2)
    warnings.simplefilter("ignore")  # what a library thinks of a damaged file
    connection = Connection(handle)
    with suppress(EOFError):
        while True:
            folder, call, arguments, limits = pickle.loads(connection.recv_bytes())  # noqa: S301 - from the parent
            os.chdir(folder)
            connection.send_bytes(_answer(call, arguments, limits).encode())


def _answer(call: Callable[..., Any], arguments: tuple[Any, ...], limits: Limits) -> str:
    _limit(limits)
    try:
        return strict_json({"value": call(*arguments)})
    except UserError as error:
        return strict_json({"refused": str(error)})
    except OSError as error:
        return strict_json({"system": error.strerror or str(error)})
    except MemoryError:
        return strict_json({"memory": True})
    except Exception as error:  # a hostile file may make a library raise anything
        return strict_json({"unforeseen": f"{type(error).__name__}: {error}"})


def _limit(limits: Limits) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0]) if sys.platform == "linux" else 0
    wanted = {
        resource.RLIMIT_CPU: int(used.ru_utime + used.ru_stime) + 1 + limits.seconds,
        resource.RLIMIT_AS: pages * resource.getpagesize() + limits.memory,
    }
    for kind, value in wanted.items():
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


class _Child:
    """The child of one process; threads wait for each other."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.process: subprocess.Popen[bytes] | None = None
        self.connection: Any = None
        atexit.register(self.stop)

    def run(self, call: Callable[..., Any], arguments: tuple[Any, ...], where: Path, limits: Limits) -> Any:
        with self.lock:
            if self.process is None or self.process.poll() is not None:
                self.start()
            try:
                self.connection.send_bytes(pickle.dumps((os.getcwd(), call, arguments, limits)))
                if not self.connection.poll(_PATIENCE * limits.seconds):
                    raise UserError(_too_long(where, limits))
                answer = json.loads(self.connection.recv_bytes(_LONGEST_ANSWER))
            except (EOFError, ConnectionError):
                raise UserError(self.crash(where, limits)) from None
            except BaseException:  # Ctrl-C too: the child is in the middle of it
                self.stop()
                raise
        if "value" in answer:
            return answer["value"]
        if "system" in answer:
            raise OSError(answer["system"])
        if "memory" in answer:
            raise UserError(_too_large(where, limits))
        if "unforeseen" in answer:
            raise UserError(f"{where} cannot be read ({answer['unforeseen']}): it is damaged; download it again")
        raise UserError(answer["refused"])

    def start(self) -> None:
        self.stop()
        self.connection, theirs = Pipe()
        path = os.pathsep.join(os.path.abspath(place) for place in sys.path)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _START, str(theirs.fileno()), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={**os.environ, **_ENVIRONMENT, "PYTHONPATH": path},
            )

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.connection.close()
            self.process = None

    def crash(self, where: Path, limits: Limits) -> str:
        assert self.process is not None
        number = -self.process.wait()
        if number == signal.SIGXCPU:
            return _too_long(where, limits)
        if number == signal.SIGKILL:  # by the kernel
            return _too_large(where, limits)
        how = signal.Signals(number).name if number > 0 else f"status {-number}"
        return f"{where} makes its reader crash ({how}): it is damaged or hostile; download it again from its official source"


@cache
def _child(_process: int) -> _Child:
    # a forked process has another number, and so a child of its own
    return _Child()


def _too_long(where: Path, limits: Limits) -> str:
    return f"{where} takes longer than {limits.seconds:,} seconds to read, as no such file does: download it again from its official source"


def _too_large(where: Path, limits: Limits) -> str:
    return f"{where} takes more than {limits.memory / 2**30:.1f} GiB of memory to read: download it again, or convert it on a larger machine"
