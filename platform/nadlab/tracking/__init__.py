"""MLflow: the record of every trial, to browse and compare."""
