"""Say whether a study that run.sh has submitted lost or doubled a trial: exactly one FINISHED run for each in MLflow.

python tests/loopback/check.py TRACKING_URI TRIALS
"""

import sys
from collections import Counter

from mlflow import MlflowClient


def main(uri: str, trials: int) -> int:
    client = MlflowClient(tracking_uri=uri)
    experiments = [each.experiment_id for each in client.search_experiments()]
    runs = client.search_runs(experiments, "tags.kind = 'trial'")
    finished = Counter(run.data.tags["nadlab.trial_id"] for run in runs if run.info.status == "FINISHED")
    print(f"{trials} trials: {trials - len(finished)} lost, {len(runs) - len(finished)} doubled or not finished")
    return 0 if len(runs) == len(finished) == trials else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
