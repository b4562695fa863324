"""MLflow: the store, runs and the registry. Nothing else imports mlflow."""
