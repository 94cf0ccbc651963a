"""Freed memory that a process keeps."""

import subprocess
import sys

import pytest

TRAINING = """
import resource, sys
import numpy as np
from nadlab.semigan import biarch2perf
from nadlab.semigan.settings import Settings
from nadlab.spaces import space
if sys.argv[1] == "given back":
    biarch2perf.keep_freed_memory = lambda: None
elif not biarch2perf.keep_freed_memory():
    sys.exit(3)
nasbench201, rng = space("nasbench201"), np.random.default_rng(0)
cells = nasbench201.canonical(nasbench201.sample(1200, rng))
settings = Settings(unlabelled_per_epoch=1024)
arguments = cells[:120], rng.normal(90, 2, 120), cells, np.arange(120, 1200), len(nasbench201.operations), settings, 0
model = biarch2perf.BiArch2Perf(*arguments)
model.epoch(), model.epoch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
model.epoch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="malloc of another system")
def test_pages_that_a_training_step_frees_do_not_fault_in_the_next() -> None:
    faults = {}
    for mode in ("given back", "kept"):
        done = subprocess.run([sys.executable, "-c", TRAINING, mode], capture_output=True, text=True, check=False)
        if done.returncode == 3:
            pytest.skip("malloc is not glibc's here")
        assert done.returncode == 0, done.stderr
        faults[mode] = int(done.stdout)
    assert 2 * faults["kept"] < faults["given back"], faults
