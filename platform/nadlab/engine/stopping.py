"""SIGINT and SIGTERM end a run in order: as one exception, raised where it breaks nothing."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """A signal arrived; like KeyboardInterrupt it passes through `except Exception`."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Stopping:
    """Raises Stopped on the first signal; ignores later ones while the run ends, which takes seconds."""

    def __init__(self) -> None:
        self._deferred = False
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

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self._number = number
        self.install()
        if not self._deferred:
            raise Stopped(number)
