"""Run trials on a Ray cluster of equal nodes with logical GPUs; a process of its own, as one holds one Ray.

python tests/engine/logical_gpus.py FOLDER GPUS_PER_TRIAL TRIALS NODES CPUS GPUS TOGETHER

CPUS and GPUS are those of each node. A trial waits until TOGETHER trials have begun, or is over after a minute. Prints
where and when each trial ran, as JSON.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import ray
from ray.cluster_utils import Cluster
from ray.tune import Trainable

from nadlab.engine.tune import run_trials
from nadlab.schedule.trial_schedule import FixedSchedule
from nadlab.study.folder import StudyFolder
from nadlab.study.records import StudyRecord, Trial

NODE = {"object_store_memory": 80 * 2**20, "include_dashboard": False}
SECONDS = 1.5
PATIENCE = 60


class Probe(Trainable):
    """Notes the node, the devices that it sees, and when."""

    def setup(self, config: dict[str, Any]) -> None:
        settings = config["trial"]["settings"]
        self.path = Path(settings["folder"]) / f"{config['trial']['id']}.json"
        self.together = settings["together"]

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        start = time.time()
        self.path.with_suffix(".begun").touch()
        while len(list(self.path.parent.glob("*.begun"))) < self.together and time.time() < start + PATIENCE:
            time.sleep(0.02)
        time.sleep(SECONDS)
        node = ray.get_runtime_context().get_node_id()
        seen = {"node": node, "devices": os.environ["CUDA_VISIBLE_DEVICES"], "start": start, "end": time.time()}
        self.path.write_text(json.dumps(seen))
        return {"epoch": 1, "done": True, "history": [], "ledger": []}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Hold nothing."""

    def load_checkpoint(self, checkpoint: str | None) -> None:
        """Hold nothing."""


def main(folder: Path, gpus: float | None, count: int, nodes: int, node: dict[str, Any], together: int) -> None:
    notes = folder / "notes"
    notes.mkdir(parents=True)
    settings = {"folder": str(notes), "together": together}
    trials = [Trial("", "", seed, settings, "nadlab.engine.tune:Probe") for seed in range(count)]
    study = StudyRecord("probe", "", "", "nadlab.engine.tune:Probe", "", "", "", "valid", "valid", 0.0, {}, {}, "")
    cluster = Cluster(initialize_head=True, head_node_args=node)
    for _ in range(nodes - 1):
        cluster.add_node(**node)
    ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
    try:
        run_trials(Probe, FixedSchedule(trials), StudyFolder(folder, study), None, gpus, lambda _: None, lambda: None)
    finally:
        ray.shutdown()
        cluster.shutdown()
    print(json.dumps([json.loads(path.read_text()) for path in sorted(notes.glob("*.json"))]))


if __name__ == "__main__":
    out, share, *numbers = sys.argv[1:]
    trials, nodes, cpus, gpus, together = map(int, numbers)
    shape = NODE | {"num_cpus": cpus, "num_gpus": gpus}
    main(Path(out), None if share == "none" else float(share), trials, nodes, shape, together)
