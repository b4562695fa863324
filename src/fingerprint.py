"""Stage `code`: write code/SCRIPT.txt, the fingerprint of the code of each kind of stage.

The other stages depend on these files instead of on sources, so that a changed comment trains
nothing anew.
"""

from pathlib import Path

from fifteen.common.errors import run_stage
from fifteen.common.files import new_folder
from fifteen.common.fingerprints import fingerprint

CODE = Path("code")
SCRIPTS = ("prepare", "train", "tune", "ensemble", "evaluate", "report")


def main() -> None:
    """Write all fingerprints."""
    with new_folder(CODE) as folder:
        for script in SCRIPTS:
            text = fingerprint(script, Path("src"))
            (folder / f"{script}.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run_stage(main)
