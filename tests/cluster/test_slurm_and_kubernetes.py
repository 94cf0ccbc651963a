"""The files for SLURM and Kubernetes: a study on an allocation by a stand-in for `srun`, and a RayJob that KubeRay takes."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from jsonschema import ValidationError, validate

ROOT = Path(__file__).parents[2]
SBATCH = ROOT / "docs/clusters/slurm.sbatch"
SRUN = """#!/bin/bash
while [[ $1 == --* ]]; do [[ $1 != --nodelist=* ]] || echo "${1#*=}" >> "$ASKED"; shift; done
exec "$@"
"""
STUDY = """
import sys, ray
ray.init(address=sys.argv[sys.argv.index("--address") + 1], log_to_driver=False)
print(len(ray.nodes()), "nodes,", ray.cluster_resources()["CPU"], "CPUs")
sys.exit(7)
"""


@pytest.fixture
def allocation(tmp_path: Path) -> dict[str, str]:
    """The environment of a job on two nodes, both this machine."""
    for name, text in {"srun": SRUN, "scontrol": "#!/bin/bash\necho node1\necho node2\n"}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "study.py").write_text(STUDY)
    job = {"SLURM_SUBMIT_DIR": str(tmp_path), "SLURM_JOB_ID": "4711", "SLURM_JOB_NODELIST": "node[1-2]"}
    path = f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    asked = {"ASKED": str(tmp_path / "asked"), "SLURM_CPUS_ON_NODE": "1"}
    return {**os.environ, **job, **asked, "PATH": path, "HOME": str(tmp_path)}


@pytest.mark.services
def test_study_runs_on_all_nodes_of_an_allocation_and_its_status_is_that_of_the_job(
    allocation: dict[str, str], tmp_path: Path
) -> None:
    done = subprocess.run(
        ["/bin/bash", str(SBATCH), "python", "study.py"], env=allocation, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 7, done.stderr
    assert "2 nodes, 2.0 CPUs" in done.stdout
    assert {"node1", "node2"} == set((tmp_path / "asked").read_text().split())
    assert not list((tmp_path / ".nadlab").iterdir())  # the token went with the job


def test_job_without_a_command_says_what_is_missing(allocation: dict[str, str]) -> None:
    done = subprocess.run(["/bin/bash", str(SBATCH)], env=allocation, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "name the command after the file" in done.stderr


def test_rayjob_is_valid_by_kuberays_schema_and_asks_for_the_token() -> None:
    schema = json.loads((Path(__file__).parent / "rayjob.schema.json").read_text())
    job = yaml.safe_load((ROOT / "docs/clusters/rayjob.yaml").read_text())
    validate(job, schema)
    assert job["spec"]["rayClusterSpec"]["authOptions"] == {"mode": "token"}
    assert job["spec"]["rayClusterSpec"]["rayVersion"] == version("ray")
    job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["repliccas"] = 1
    with pytest.raises(ValidationError, match="repliccas"):
        validate(job, schema)
