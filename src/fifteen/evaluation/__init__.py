"""Evaluation of predictions: scores, confusion, calibration, diversity, statistics."""
