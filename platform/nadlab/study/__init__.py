"""Studies as values: a question, its trials, what a trial leaves."""
