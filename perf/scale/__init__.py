"""What the study layer costs, from one trial to a cluster."""
