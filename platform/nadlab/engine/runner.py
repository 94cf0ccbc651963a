"""Run a study: missing trials run on Ray Tune, their records go to disk, from there to MLflow and into the report.

A trainable (see `trainables/biarch2perf.py`) takes `nadlab.engine.request.request` as config["trial"]. Each of its
results holds `epoch` and numbers, the last one also `done`, `history` and `ledger`, and where it has them `trained` (how,
by segments) and `diverged` (why the trial failed, a sentence).
"""

import signal
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from nadlab.benchmarks.oracle import Oracle, cost_of
from nadlab.benchmarks.registry import benchmark
from nadlab.cluster.connection import check_address, connected
from nadlab.cluster.execution import ExecutionConfig
from nadlab.cluster.resources import check_room
from nadlab.engine.plans import StudyPlan, on_device, plan_study
from nadlab.engine.tune import run_trials
from nadlab.engine.worker import check_tables, prepared
from nadlab.errors import UserError
from nadlab.interrupts import Stopped, Stopping
from nadlab.plugins import plugin_names
from nadlab.provenance.hardware import has_bfloat16
from nadlab.queries.opening import is_kept
from nadlab.schedule.packing import packed
from nadlab.schedule.trial_schedule import TrialSchedule
from nadlab.study.folder import StudyFolder
from nadlab.study.outcomes import measured
from nadlab.study.records import StudyRecord
from nadlab.study.study import Study
from nadlab.terminal import console

if TYPE_CHECKING:
    from nadlab.tracking.delivery import Delivery
    from nadlab.tracking.tracker import Tracker


def run_study(study: Study, oracle: Oracle, execution: ExecutionConfig) -> int:
    """Run a study; see `run`."""
    gpus = execution.gpus_per_trial if cost_of(oracle) is None else 0
    bfloat16 = has_bfloat16(execution.address, gpus)
    return run(plan_study(study, oracle, bfloat16), execution)


def run(plan: StudyPlan, execution: ExecutionConfig) -> int:
    """Run what is missing, deliver, report; return 0, 1 when something failed, or 128 + signal when stopped.

    Raises UserError before any trial when the study can't run with these options.
    """
    execution = checked(plan, execution)
    stopping = Stopping(f"Stopped. The records are in {execution.out}: the same command resumes the study.")
    study = on_device(plan.record, execution.gpus_per_trial)
    with stopping.caught():
        opening: Future[Tracker] | None = None
        try:
            with (
                stopping.in_place_of_errors(),
                StudyFolder.claim(execution.out, study, execution.anyway) as folder,
                ThreadPoolExecutor(1) as beside,
            ):
                opening = beside.submit(_tracker, folder.study, execution)
                schedule = plan.schedule(folder)
                undelivered = _run_trials(plan, schedule, folder, opening, execution, stopping)
                from nadlab.engine.ending import conclude

                return conclude(schedule, folder, opening.result(), execution, undelivered)
        except (Stopped, SystemExit) as stop:  # SystemExit: Ray's own answer to SIGTERM while it starts
            number = stop.number if isinstance(stop, Stopped) else signal.SIGTERM
            _close(opening, "KILLED")
            stopping.say()
            return 128 + number
        except BaseException:
            _close(opening, "FAILED")
            raise


def _close(opening: "Future[Tracker] | None", status: str) -> None:
    """Say in MLflow how the study ended, where its store was opened."""
    if opening and opening.done() and not opening.exception():
        from nadlab.engine.ending import close

        close(opening.result(), status)


def _tracker(study: StudyRecord, execution: ExecutionConfig) -> "Tracker":
    from nadlab.engine.ending import tracked  # late: in a thread, as MLflow's imports take as long as Ray's start

    return tracked(study, execution)


def checked(plan: StudyPlan, execution: ExecutionConfig) -> ExecutionConfig:
    """Return how the trials run; raise UserError where the plan can't run with these options.

    Trials that wait for trainings get no GPU: the trainings on the same cluster may need them all.
    """
    plugin_names([plan.record.benchmark, *plan.plugins])
    packed(plan.study.trainable, execution.pack)
    if execution.pack > 1 and plan.prunes:
        raise UserError("trials that share a process (--pack) can't be pruned: leave out --pack or --pruner")
    execution.evaluation.check(plan.oracle)
    trains = cost_of(plan.oracle) is not None
    if trains and execution.gpus_per_trial:
        raise UserError(
            f"{plan.oracle.name} trains on the GPUs, so its trials get none: use --gpus-per-evaluation instead of --gpus-per-trial"
        )
    if execution.address:
        check_address(execution.address)
    if execution.tracking_uri:
        from nadlab.tracking.store import check_store

        check_store(execution.tracking_uri)
    return replace(execution, gpus_per_trial=0) if trains else execution


def _run_trials(
    plan: StudyPlan,
    schedule: TrialSchedule,
    folder: StudyFolder,
    opening: "Future[Tracker]",
    execution: ExecutionConfig,
    stopping: Stopping,
) -> int:
    """Run the schedule and deliver all records; return how many MLflow did not take."""
    study = folder.study
    console().print(
        f"{study.study} on {study.benchmark_text}: {schedule.total} trials, {schedule.total - schedule.remaining} of them done, "
        f"in {folder.path}; judged by {measured(study).name}"
    )
    for sentence in plan.said(folder.records()):
        console().print(sentence, soft_wrap=True)
    if schedule.over:
        with _delivery(opening.result(), folder) as delivery:
            return delivery.wait()
    trainable, packing = packed(plan.study.trainable, execution.pack)
    plugins = plugin_names([study.benchmark, *plan.plugins])
    cost, config, store = cost_of(plan.oracle), execution.evaluation, None
    if is_kept(plan.oracle):
        from nadlab.evaluations.store import EvaluationStore

        config = replace(config, store=config.store or str(folder.evaluations.absolute()))
        store = EvaluationStore.opened(str(config.store), plan.oracle)
    trainings = store.progress if store and cost else None
    cpus = execution.concurrent if cost is None else None  # trainings use all, however many trials wait
    with stopping.deferred(), connected(execution.address, cpus, trainable, plugins):
        stopping.install()  # again: Ray replaced the handlers
        stopping.check()
        if cost:
            check_room(config.granted(cost))
        if execution.address:
            check_tables(study.benchmark, study.digest, study.preset)
        with _delivery(opening.result(), folder) as delivery:
            stopping.check()
            run_trials(
                prepared(trainable, benchmark(study.benchmark, study.preset).space), schedule, folder, execution.concurrent,
                execution.gpus_per_trial, delivery.submit, stopping.check, packing, config, trainings, delivery.going_on,
            )  # fmt: skip
            return delivery.wait()


def _delivery(tracker: "Tracker", folder: StudyFolder) -> "Delivery":
    """Return the delivery of a folder's records to MLflow, which begins with those that are there."""
    from nadlab.tracking.delivery import Delivery

    delivery = Delivery(tracker, folder)
    for record in folder.records():
        delivery.submit(record)
    return delivery
