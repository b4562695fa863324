"""What answers are worth: scores, confusion, calibration, diversity, statistics."""
