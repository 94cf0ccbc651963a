"""Evaluations: answers checked, trainings on Ray with their failures, and the store that keeps them."""
