import sys
from pathlib import Path

# Last, because src/ has a train.py too.
sys.path.append(str(Path(__file__).parents[2] / "ablations"))
