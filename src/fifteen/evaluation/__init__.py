"""Scores of predictions: metrics, calibration, confusions and significance."""
