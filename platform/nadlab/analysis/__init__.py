"""From records to statements: intervals, figures, the report."""
