"""NATS-Bench's official files, read where this machine has them."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nadlab.benchmarks.archive import Archive
from nadlab.benchmarks.official.nats import read_nats
from nadlab.spaces import space

DATA = Path(os.environ.get("NADLAB_DATA") or Path(__file__).parents[3] / "shared" / "data")
FOLDER = DATA / "NATS-tss-v1_0-3ffb9-simple"
TABLE = DATA / "nasbench201.csv"

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"{FOLDER} is not on this machine")


@pytest.fixture(scope="module")
def archive() -> Archive:
    return read_nats(FOLDER)


def test_every_seed_epoch_and_split_is_kept(archive: Archive) -> None:
    arrays = archive.arrays
    assert len(arrays["keys"]) == 2
    row = int(np.flatnonzero((arrays["cifar100/200/runs"] >= 0).sum(axis=1) == 3)[0])
    assert arrays["cifar100/200/runs"][row].tolist() == [777, 888, 999]
    assert arrays["cifar100/200/train/epochs"].tolist() == list(range(1, 201))
    assert arrays["cifar100/200/x-valid/epochs"].tolist() == [200]
    assert arrays["cifar100/200/ori-test/accuracy"].shape == (2, 3, 200)
    assert arrays["cifar10-valid/12/x-valid/accuracy"].shape == (2, 2, 12)
    assert not np.isnan(arrays["cifar100/200/ori-test/accuracy"][row]).any()
    assert {name.split("/")[0] for name in arrays} - {"keys"} == {
        "cifar10",
        "cifar10-valid",
        "cifar100",
        "ImageNet16-120",
    }


def test_times_parameters_and_flops_are_kept(archive: Archive) -> None:
    nasbench201 = space("nasbench201")
    first = nasbench201.parse(
        "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
    )
    row = int(np.searchsorted(archive.arrays["keys"], nasbench201.identities(first)[0]))
    assert archive.arrays["cifar100/parameters"][row] == pytest.approx(0.135156)
    assert archive.arrays["cifar100/flops"][row] == pytest.approx(15.65322)
    seconds = archive.arrays["cifar100/12/train/seconds"][row, 0]
    assert seconds[0] == pytest.approx(14.442186)
    assert seconds[-1] == pytest.approx(12 * 14.442186)
    assert archive.arrays["cifar100/12/x-valid/seconds"][row, 0] == pytest.approx(0.50979584)


@pytest.mark.skipif(not TABLE.is_file(), reason=f"{TABLE} is not on this machine")
def test_accuracies_agree_with_the_table_to_four_decimals(archive: Archive) -> None:
    nasbench201 = space("nasbench201")
    table = pd.read_csv(TABLE)
    compared = 0
    for index in (0, 284):
        cell = nasbench201.parse(str(table["arch_str"][index]))
        row = int(np.searchsorted(archive.arrays["keys"], nasbench201.identities(cell)[0]))
        for column in table.columns[1:]:
            dataset, split, budget = column.rsplit("_", 2)
            prefix = archive.answers[dataset][budget][split]
            mean = float(np.nanmean(archive.arrays[f"{prefix}/accuracy"][row, :, -1].astype(np.float64)))
            assert round(mean, 4) == pytest.approx(table[column][index], abs=1e-9), (index, column)
            compared += 1
    assert compared >= 12
