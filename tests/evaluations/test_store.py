"""The evaluation store: each cell is evaluated once by all processes and threads, and the dead give up what they claimed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from sqlalchemy import select, update

from nadlab.benchmarks.oracle import Evaluation, Oracle
from nadlab.errors import UserError
from nadlab.evaluations import owners, store
from nadlab.evaluations.config import EvaluationConfig
from nadlab.evaluations.rows import ROWS
from nadlab.evaluations.store import Ended, EvaluationStore, failure
from nadlab.evaluations.stored import StoredEvaluations
from nadlab.queries.opening import answered
from nadlab.spaces import Cells
from tests.oracles import Counting, counting

ROOT = Path(__file__).parents[2]
ORACLE = counting("nasbench201", 30)
CELLS = ORACLE.pool()[:6]
KEYS = ORACLE.space.keys(CELLS).tolist()


@dataclass
class Logged:
    """Evaluates as the benchmark does after so many seconds, and keeps the keys of each call."""

    oracle: Counting = ORACLE
    seconds: float = 0.0
    calls: list[list[int]] = field(default_factory=list)

    def evaluate(self, cells: Cells) -> list[Evaluation]:
        self.calls.append(ORACLE.space.keys(cells).tolist())
        time.sleep(self.seconds)
        return ORACLE.evaluate(cells)

    def stored(self, place: object) -> StoredEvaluations:
        return stored(answered(self.oracle, self.evaluate), place)


def stored(oracle: Oracle, place: object) -> StoredEvaluations:
    return StoredEvaluations.of(oracle, EvaluationConfig(store=str(place)))


def test_what_is_there_is_read_and_only_missing_cells_are_evaluated_in_one_call(tmp_path: Path) -> None:
    logged = Logged()
    assert logged.stored(tmp_path).evaluate(CELLS[[3, 1]]) == ORACLE.evaluate(CELLS[[3, 1]])
    assert logged.stored(tmp_path).evaluate(CELLS[[0, 1, 2, 3, 4, 5, 0]]) == ORACLE.evaluate(
        CELLS[[0, 1, 2, 3, 4, 5, 0]]
    )
    assert logged.calls == [[KEYS[3], KEYS[1]], [KEYS[row] for row in (0, 2, 4, 5)]]
    assert len(list(tmp_path.iterdir())) == 1


def test_digest_fidelity_and_training_seed_have_evaluations_of_their_own(tmp_path: Path) -> None:
    logged = Logged()
    first = logged.stored(tmp_path)
    first.evaluate(CELLS)
    Logged(replace(ORACLE, digest="1" * 64), calls=logged.calls).stored(tmp_path).evaluate(CELLS)
    for changed in (replace(first.store, fidelity=12), replace(first.store, seed=1)):
        replace(first, store=changed).evaluate(CELLS)
    first.evaluate(CELLS)
    assert len(logged.calls) == 4


def test_extras_and_floats_come_back_bit_for_bit(tmp_path: Path) -> None:
    answer = Evaluation(0.1 + 0.2, None, {"latency": 1 / 3})
    with EvaluationStore.opened(str(tmp_path), ORACLE).claims() as claims:
        assert claims.take({1: "one"}) == ({}, [1])
        claims.write(1, Ended(answer, 2.5))
    with EvaluationStore.opened(str(tmp_path), ORACLE).claims() as claims:
        assert claims.take({1: "one"}) == ({1: answer}, [])


def test_a_failed_training_is_kept_with_its_reason_and_counts_as_the_worst_value(tmp_path: Path) -> None:
    kept = EvaluationStore.opened(str(tmp_path), ORACLE)
    for expected in ([1], []):
        with kept.claims() as claims:
            there, mine = claims.take({1: "one"})
            assert mine == expected
            for key in mine:
                claims.write(key, Ended(failure(ORACLE, "out of memory"), 2.5, attempts=2))
    assert there == {1: Evaluation(0.0, 0.0, failed="out of memory")}
    with kept.engine.begin() as connection:
        (row,) = connection.execute(select(ROWS))
    assert (row.status, row.reason, row.valid, row.attempts, row.seconds) == ("failed", "out of memory", None, 2, 2.5)


def test_what_raises_gives_up_its_claims(tmp_path: Path) -> None:
    bad = stored(answered(ORACLE, lambda cells: [Evaluation(103.0, None)] * len(cells)), tmp_path)
    with pytest.raises(UserError, match="103"):
        bad.evaluate(CELLS)
    assert Logged().stored(tmp_path).evaluate(CELLS) == ORACLE.evaluate(CELLS)


def test_threads_that_want_the_same_cells_at_once_evaluate_them_once(tmp_path: Path) -> None:
    logged = Logged(seconds=0.3)
    wanted = [CELLS[rows] for rows in ([0, 1, 2, 3], [3, 2, 4], [5, 4, 0])]
    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(lambda cells: logged.stored(tmp_path).evaluate(cells), wanted))
    assert found == [ORACLE.evaluate(cells) for cells in wanted]
    assert sorted(key for call in logged.calls for key in call) == sorted(KEYS)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("mysql+pymysql://me:secret@db/x", "evaluation store db/x can't be used"),
        ("nonsense://me:secret@db/x", "evaluation store db/x can't be used"),
        ("/proc/nowhere", "evaluation store /proc/nowhere can't be used"),
        ("postgresql://me:secret@127.0.0.1:1/x", "evaluation store 127.0.0.1:1/x can't be used"),
    ],
)
def test_a_store_that_cannot_be_used_is_one_sentence_without_its_password(place: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as raised:
        stored(ORACLE, place)
    assert "secret" not in str(raised.value)


def claimed_elsewhere(kept: EvaluationStore, key: int) -> str:
    """Leave a claim of a process of another machine; return its owner."""
    owner = "another boot/pid:[1]/1/1/token"
    with kept.claims() as claims:
        claims.take({key: "cell"})
        with kept.engine.begin() as connection:
            connection.execute(update(ROWS).where(ROWS.c.owner == claims.owner).values(owner=owner))
    return owner


def test_a_claim_of_another_machine_is_taken_over_when_it_does_not_beat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(store, "monotonic", lambda: clock[0])
    kept = EvaluationStore.opened(str(tmp_path), ORACLE)
    owner = claimed_elsewhere(kept, 1)
    with kept.claims() as claims:
        assert claims.take({1: "cell"}) == ({}, [])
        clock[0] += 0.9 * store.LEASE
        with kept.engine.begin() as connection:  # it beats
            connection.execute(update(ROWS).where(ROWS.c.owner == owner).values(beat=ROWS.c.beat + 1))
        for _ in range(2):
            assert claims.take({1: "cell"}) == ({}, [])
            clock[0] += 0.9 * store.LEASE
        assert claims.take({1: "cell"}) == ({}, [1])


def test_a_claim_beats_while_it_is_evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "BEAT", 0.05)
    kept = EvaluationStore.opened(str(tmp_path), ORACLE)
    with kept.claims() as claims:
        claims.take({1: "cell"})

        def beats() -> int:
            with kept.engine.begin() as connection:
                return int(connection.execute(select(ROWS.c.beat)).scalar_one())

        wait_for(lambda: beats() >= 3)


def test_who_lost_a_claim_does_not_write_over_the_evaluation_of_who_took_it(tmp_path: Path) -> None:
    kept = EvaluationStore.opened(str(tmp_path), ORACLE)
    with kept.claims() as slow, kept.claims() as other:
        slow.take({1: "cell"})
        with kept.engine.begin() as connection:
            connection.execute(update(ROWS).values(owner=other.owner))
        other.held.add(1)
        other.write(1, Ended(Evaluation(50.0, None), 1.0))
        slow.write(1, Ended(Evaluation(60.0, None), 1.0))
        assert slow.take({1: "cell"}) == ({1: Evaluation(50.0, None)}, [])


def test_a_process_is_dead_when_its_number_is_free_or_given_to_another() -> None:
    owner = owners.new_owner()
    assert not owners.is_dead(owner)
    boot, namespace, process, start, token = owner.split("/")
    assert int(process) == os.getpid()
    assert owners.is_dead("/".join((boot, namespace, process, str(int(start) + 1), token)))
    assert not owners.is_dead("/".join(("another", namespace, process, "1", token)))
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert owners.is_dead("/".join((boot, namespace, str(child.pid), "1", token)))


PROCESS = """
import sys, time
from pathlib import Path
from nadlab.queries.opening import answered
from tests.evaluations.test_store import stored
from tests.oracles import counting

folder, place, seconds, rows = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), [int(row) for row in sys.argv[4].split(",")]
oracle = counting("nasbench201", 30)

def evaluate(cells):
    with (folder / "log").open("a") as log:
        log.write("".join(f"{key}\\n" for key in oracle.space.keys(cells).tolist()))
    time.sleep(seconds)
    return oracle.evaluate(cells)

found = stored(answered(oracle, evaluate), place).evaluate(oracle.pool()[rows])
assert found == oracle.evaluate(oracle.pool()[rows])
"""

Asking = Callable[[float, str], subprocess.Popen[bytes]]


@pytest.fixture(params=["sqlite", "postgresql"])
def asking(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Asking]:
    """Starts a process that evaluates rows of the pool, each batch in so many seconds, with a store of either kind."""
    place = tmp_path / "store" if request.param == "sqlite" else request.getfixturevalue("postgresql")
    started: list[subprocess.Popen[bytes]] = []

    def start(seconds: float, rows: str) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-c", PROCESS, str(tmp_path), str(place), str(seconds), rows]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        started.append(subprocess.Popen(words, cwd=ROOT, env=environment))
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.wait()


def wait_for(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
def test_processes_that_want_the_same_cells_at_once_evaluate_them_once(asking: Asking, tmp_path: Path) -> None:
    started = [asking(0.5, rows) for rows in ("0,1,2,3", "3,2,4", "5,4,0")]
    assert [each.wait(60) for each in started] == [0, 0, 0]
    logged = (tmp_path / "log").read_text().split()
    assert sorted(map(int, logged)) == sorted(KEYS)


@pytest.mark.slow
def test_a_killed_process_gives_up_the_cells_that_it_was_evaluating_at_once(asking: Asking, tmp_path: Path) -> None:
    killed = asking(600, "0,1")
    wait_for((tmp_path / "log").exists)
    waiting = asking(0, "1,2")
    killed.send_signal(signal.SIGKILL)
    assert killed.wait(60) == -signal.SIGKILL
    since = time.monotonic()
    assert waiting.wait(60) == 0
    assert time.monotonic() < since + store.LEASE
