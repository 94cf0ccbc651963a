"""The device's measurements run whole, with small settings on the CPU."""

import json

import pytest
from click.testing import CliRunner

from perf.gpu import command


@pytest.mark.slow
@pytest.mark.timeout(600)  # on a loaded machine
def test_every_figure_is_measured() -> None:
    arguments = "--trials 2 --seconds 0 --images 256 --unlabelled 512 --width 8 --json"
    done = CliRunner().invoke(command, arguments.split())
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout)
    assert figures.pop("machine")["cores"] > 0
    on_cpu = figures.pop("device") == "CPU"
    difference = figures.pop("largest relative difference of a first epoch's loss from the CPU's")
    assert difference < 1e-3
    assert difference == 0 or not on_cpu
    numbers = [value["median"] if isinstance(value, dict) else value for value in figures.values()]
    assert len(numbers) >= 13
    assert min(numbers) > 0
    assert all(0 < value <= 1.1 for name, value in figures.items() if "busy" in name)
