"""Methods that also learn from shorter trainings than those by which results are judged."""
