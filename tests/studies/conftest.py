from pathlib import Path

from fifteen.params.reading import load_params
from fifteen.studies.plan import FOLDER, read_study, study_names

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def params():
    return load_params(ROOT / "params.yaml")


@pytest.fixture(scope="session")
def committed(params):
    """The studies of this project by name."""
    folder = ROOT / FOLDER
    return {name: read_study(name, params, folder) for name in study_names(folder)}


@pytest.fixture
def study(params, tmp_path):
    """A function that reads a study from the rows it is given, with other keys of the file."""

    def read(rows, **keys):
        content = {"question": "Why?", "base": "baseline", "compare": "previous", "seeds": [1]}
        rows = {name: {"what": name} | row for name, row in rows.items()}
        YAML().dump(content | keys | {"rows": rows}, tmp_path / "mine.yaml")
        return read_study("mine", params, tmp_path)

    return read
