"""Freed memory that a process keeps."""

import subprocess
import sys

import pytest

STEPS = """
import resource, sys
import numpy as np
from nadlab.semigan.memory import keep_freed_memory
if sys.argv[1] == "kept" and not keep_freed_memory():
    sys.exit(3)
for step in range(20):
    if step == 10:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    saved = [np.ones(2**20) for _ in range(10)]
    del saved
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
"""asks for 80 MiB and gives them back, 10 times"""


@pytest.mark.skipif(sys.platform != "linux", reason="malloc of another system")
def test_pages_that_a_step_frees_do_not_fault_in_the_next() -> None:
    faults = {}
    for mode in ("given back", "kept"):
        done = subprocess.run([sys.executable, "-c", STEPS, mode], capture_output=True, text=True, check=False)
        if done.returncode == 3:
            pytest.skip("malloc is not glibc's here")
        assert done.returncode == 0, done.stderr
        faults[mode] = int(done.stdout)
    if faults["given back"] < 1000:
        pytest.skip("this system's pages are too large, or its malloc too keen, for a step to fault")
    assert faults["kept"] < faults["given back"] / 10, faults
