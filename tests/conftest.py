"""What the tests of several modules begin from."""

import pytest


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A main repository, whose store takes seconds to make.

    Its path has what SQL and addresses escape.
    """
    return tmp_path_factory.mktemp("it's 100% _here_")


@pytest.fixture
def own_store(root, monkeypatch):
    """Where runs go: to `root`. MLflow keeps the address in the environment; it is put back."""
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "to be restored")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    monkeypatch.setenv("DVC_ROOT", str(root))
    yield
    mlflow.set_tracking_uri(None)


@pytest.fixture
def store(root, own_store):
    """The client of that store."""
    import mlflow

    return mlflow.MlflowClient(f"sqlite:///{root / 'mlruns' / 'mlflow.db'}")
