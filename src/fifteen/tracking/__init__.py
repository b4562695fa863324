"""MLflow: the store, runs and the registry. No other package imports mlflow."""
