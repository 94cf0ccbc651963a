"""Parameters of methods and studies: hyperparameters that a method declares, and values as their declared types."""
