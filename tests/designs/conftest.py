import sys
from pathlib import Path

# Last, because src/ has an ensemble.py too.
sys.path.append(str(Path(__file__).parents[2] / "ensembles"))
