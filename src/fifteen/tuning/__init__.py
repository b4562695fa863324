"""Hyperparameter search: keras-tuner's Hyperband, made to survive kills and failing trials."""
