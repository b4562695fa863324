"""Pictures in, named and calibrated probabilities out."""
