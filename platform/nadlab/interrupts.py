"""Ctrl-C and SIGTERM end a command within two seconds, with one line and status 128 + signal."""

import os
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock, Thread, Timer, current_thread, main_thread
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM)
PATIENCE = 1.0
"""seconds from the first signal until the process is ended whatever it does"""
INTERRUPTED = "Interrupted."
OVER = b"\0"
"""a byte that is no signal's number"""
IMPORT = "<frozen importlib._bootstrap>"
"""the file of the frames of an import"""


class Stopped(BaseException):
    """A signal arrived; like KeyboardInterrupt it passes through `except Exception`."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


_arrived: int | None = None
"""the signal that a `Stopping` of this process has seen"""


def check_arrived() -> None:
    """Raise Stopped when a signal arrived, even where a library or the garbage collector swallowed it.

    For whoever is about to become another program: the deadline that would end this process does not survive that.
    """
    if _arrived:
        raise Stopped(_arrived)


class Stopping:
    """Raises Stopped on the first signal and ignores later ones; after `PATIENCE` seconds it ends the process."""

    def __init__(self, farewell: str = INTERRUPTED) -> None:
        """farewell: the last line on stderr."""
        self._farewell = farewell
        self._said = Lock()
        self._begun = Lock()
        self._deferred = False
        self._number: int | None = None
        self._deadline: Timer | None = None
        self._below: list[int] = []

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Handle the signals inside the block; outside of the main thread, which alone may, do nothing."""
        global _arrived
        if current_thread() is not main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in SIGNALS}
        shown = sys.unraisablehook

        def show(unraisable: "sys.UnraisableHookArgs") -> None:
            # raised in a callback of the garbage collector, which drops it: the deadline ends the process
            if not isinstance(unraisable.exc_value, Stopped):
                shown(unraisable)

        sys.unraisablehook = show
        self.install()
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        watching = Thread(target=self._watch, args=(reader,), daemon=True)
        watching.start()
        woken = signal.set_wakeup_fd(writer)
        try:
            with self.in_place_of_errors():
                yield
        finally:
            signal.set_wakeup_fd(woken)
            os.write(writer, OVER)
            watching.join()
            os.close(reader)
            os.close(writer)
            for number, handler in before.items():
                signal.signal(number, handler)
            sys.unraisablehook = shown
            _arrived = None
            if self._deadline:
                self._deadline.cancel()

    @contextmanager
    def in_place_of_errors(self) -> Iterator[None]:
        """Raise Stopped for an error after a signal: a library that cleans up may fail and replace Stopped by its own error."""
        try:
            yield
        except Exception as error:
            if self._number:
                raise Stopped(self._number) from error
            raise

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Raise in `check` only: inside Ray's compiled code an exception becomes a SystemError."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False
        self.check()

    def install(self) -> None:
        """Install the handlers, also after other code replaced them."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN if self._number else self._handle)

    def check(self) -> None:
        """Raise Stopped when a signal arrived."""
        if self._number:
            raise Stopped(self._number)

    def say(self) -> None:
        """Print the farewell, once."""
        if self._said.acquire(blocking=False):
            os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, f"{self._farewell}\n".encode())

    def _handle(self, number: int, frame: FrameType | None) -> None:
        global _arrived
        self._number = _arrived = number
        self.install()
        self._begin_deadline()
        if self._deferred:
            return
        if any(file == IMPORT for file in _files(frame)):
            self._end()
        raise Stopped(number)

    def _watch(self, reader: int) -> None:
        """Begin the deadline at a signal: while the main thread is in compiled code, such as Ray's, no handler is called."""
        while (arrived := os.read(reader, 1)) != OVER:
            if arrived[0] in SIGNALS:
                self._number = arrived[0]
                self._begin_deadline()

    def _begin_deadline(self) -> None:
        if self._begun.acquire(blocking=False):
            self._below = descendants()  # now: who loses its parent until the deadline is no descendant any more
            self._deadline = Timer(PATIENCE, self._end)
            self._deadline.daemon = True
            self._deadline.start()

    def _end(self) -> NoReturn:
        self.say()
        end(128 + (self._number or signal.SIGINT), self._below)


def end(status: int, others: Iterable[int] = ()) -> NoReturn:
    """End this process at once, and all that it and they started: workers of a search, Ray's processes.

    others: processes that end with it though they are no longer below it.
    """
    kill({*descendants(), *others})
    os._exit(status)


def kill(processes: Iterable[int]) -> None:
    """Kill processes that may have ended by themselves."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def descendants(of: int | None = None) -> list[int]:
    """Return the processes below one, or below this one, as Linux lists them; elsewhere none."""
    children: dict[int, list[int]] = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            parent = int(file.read_bytes().rpartition(b")")[2].split()[1])  # after the name, which may hold anything
            children.setdefault(parent, []).append(int(file.parent.name))
    found = [of or os.getpid()]
    for process in found:
        found += children.get(process, [])
    return found[1:]


def quiet_imports() -> None:
    """Have Ctrl-C end a script in its first imports at once; from then on, and in a session, Python's handler is called.

    The default handler's exception would be a traceback there, and in compiled modules an ImportError or nothing at all.
    """
    session = hasattr(sys, "ps1") or sys.flags.interactive
    if session or current_thread() is not main_thread():
        return
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _while_importing)


def _while_importing(number: int, frame: FrameType | None) -> None:
    outermost = _files(frame)[-2:]
    if len(outermost) == 2 and outermost[0] == IMPORT:  # the script's own import statement
        os.write(2, f"{INTERRUPTED}\n".encode())
        end(128 + number)
    signal.default_int_handler(number, frame)


def _files(frame: FrameType | None) -> list[str]:
    """Return the source of every frame, the innermost first."""
    files = []
    while frame:
        files.append(frame.f_code.co_filename)
        frame = frame.f_back
    return files


RUN_PROGRAM = (sys.executable, "-c", "import sys; from nadlab.interrupts import run; sys.exit(run(sys.argv[1:]))")
"""a command, before that of a program of others: `run` in a process that holds nothing else"""


def run(command: list[str]) -> int:
    """Run a program and return its status; a signal ends it by SIGTERM, and by SIGKILL after `PATIENCE` seconds.

    Who becomes this process may have blocked the signals, so that none comes too early.
    """
    import subprocess  # late: the handler of imports is to be there first

    stopping, program = Stopping("Stopped."), None
    with stopping.caught():
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            # in a session of its own: a terminal's Ctrl-C is for this process, which passes it on
            program = subprocess.Popen(command, start_new_session=True)
            return program.wait()
        except Stopped as stop:
            if program:
                program.terminate()
                program.wait()
            stopping.say()
            return 128 + stop.number
