"""SIGINT and SIGTERM as an orderly end: one exception, raised where nothing is torn by it."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """A signal came; like KeyboardInterrupt it passes through `except Exception`."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Stopping:
    """Raises Stopped on the first signal, and ignores later ones while the run ends, which takes seconds."""

    def __init__(self) -> None:
        self._held = False
        self._number: int | None = None

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Handle the signals inside the block."""
        before = {number: signal.getsignal(number) for number in SIGNALS}
        self.install()
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Raise in `check` alone: an exception inside Ray's compiled code would come out as a SystemError."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        self.check()

    def install(self) -> None:
        """Put the handlers in place, also again where somebody replaced them."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN if self._number else self._handle)

    def check(self) -> None:
        """Raise Stopped when a signal came."""
        if self._number:
            raise Stopped(self._number)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self._number = number
        self.install()
        if not self._held:
            raise Stopped(number)
