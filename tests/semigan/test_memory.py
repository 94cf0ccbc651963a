"""Freed memory that a process keeps."""

import subprocess
import sys

import pytest

STEPS = """
import resource, sys, torch
from nadlab.semigan.memory import keep_freed_memory
if sys.argv[1] == "kept" and not keep_freed_memory():
    sys.exit(3)
for step in range(20):
    if step == 10:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    saved = [torch.ones(2**18) for _ in range(20)]
    del saved
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="malloc of another system")
def test_pages_that_a_step_frees_do_not_fault_in_the_next() -> None:
    faults = {}
    for mode in ("given back", "kept"):
        done = subprocess.run([sys.executable, "-c", STEPS, mode], capture_output=True, text=True, check=False)
        if done.returncode == 3:
            pytest.skip("malloc is not glibc's here")
        assert done.returncode == 0, done.stderr
        faults[mode] = int(done.stdout)
    assert faults["given back"] > 10_000
    assert faults["kept"] < 100
