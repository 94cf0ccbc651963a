"""MLflow: the record of every trial, to browse and compare."""

import nadlab.tracking.mlflow_internals  # noqa: F401 - sets switches before any module of this package imports MLflow
