"""Tables in the form of the shared files: any dataset, any rows, and one sentence for what is wrong with a row."""

from pathlib import Path

import numpy as np
import pytest

from nadlab.benchmarks.table import read_nasbench101, read_nasbench201, tables
from nadlab.errors import UserError
from nadlab.spaces import space
from tests.conftest import real_data

GOOD = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"


def written(folder: Path, *rows: str, header: str = "arch_str,x_valid_12,x_test_12") -> Path:
    path = folder / "nasbench201.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


@pytest.mark.parametrize(("dataset", "optimum"), [("cifar10", 94.3733), ("cifar100", 73.5133)])
def test_nasbench201_has_the_published_optimum(dataset: str, optimum: float) -> None:
    oracle = read_nasbench201(real_data("nasbench201.csv"), dataset, dataset, "test")
    assert len(oracle.pool()) == 15_625
    assert oracle.optimum == pytest.approx(optimum, abs=1e-4)


def test_nasbench101_sample_is_read_whole_and_its_cells_are_distinct() -> None:
    oracle = read_nasbench101(real_data("nasbench101_sample.csv"), "nasbench101")
    assert len(oracle.pool()) == 12_000
    assert oracle.optimum == pytest.approx(94.9119, abs=1e-4)
    assert oracle.report_split == "valid"
    assert np.isin(oracle.space.keys(oracle.pool()), space("nasbench101").all_keys()).all()


def test_every_dataset_of_the_header_is_a_benchmark_and_the_longest_training_counts(tmp_path: Path) -> None:
    header = "arch_str,flowers_valid_12,flowers_test_12,flowers_test_200,birds_test_9"
    path = written(tmp_path, f"{GOOD},1,2,3,4", header=header)
    assert list(tables(path)) == [f"{path.stem}/{name}" for name in ("flowers", "birds")]
    oracle = read_nasbench201(path, "flowers", "flowers", "test")
    assert oracle.evaluate(oracle.pool()[:1])[0].test == 3
    assert oracle.evaluate(oracle.pool()[:1])[0].valid is None


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("|nor_conv_3x3~0|+|none~0|,1,2", "row 2: .*node 2 must have 2 edges"),
        ("|guess~0|+|none~0|none~1|+|none~0|none~1|none~2|,1,2", "row 2: .*operation 'guess'"),
        (f"{GOOD.replace('skip_connect', 'none')},,2", "row 2: x_valid_12 must be a number from 0 to 100, not nan"),
        (f"{GOOD.replace('skip_connect', 'none')},1,much", "row 2: x_test_12 must be a number"),
        (f"{GOOD.replace('skip_connect', 'none')},1,101", "row 2: x_test_12 must be a number from 0 to 100"),
        (f"{GOOD},1,2", "row 2: the table lists this cell twice"),
    ],
)
def test_malformed_row_is_named_with_what_is_wrong(tmp_path: Path, row: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        read_nasbench201(written(tmp_path, f"{GOOD},1,2", row), "x", "x", "valid")


def test_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, header="a,b")
    with pytest.raises(UserError, match="not a table of architectures: column 'arch_str' is missing"):
        read_nasbench201(path, "x", "x", "valid")
