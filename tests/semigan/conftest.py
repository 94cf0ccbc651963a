"""What the tests of the kernel share."""

from collections.abc import Callable, Iterator

import pytest
import torch

from nadlab import compiler
from nadlab.semigan import kernel


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """Sets the number of torch's threads, until the end of the test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def every_precision() -> Iterator[None]:
    """Has the kernel multiply in bfloat16 on any processor: emulated, which trials never ask for, where it has no such products."""
    if compiler.compiler() is None:
        pytest.skip("no C++ compiler here")
    if kernel.fits(torch.empty(1), precision=torch.bfloat16):
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiler, "FLAGS", (*compiler.FLAGS, "-DBFLOAT16"))
        compiler.library.cache_clear()
        yield
    compiler.library.cache_clear()
