"""The command lines of stages."""

import argparse


def name_argument(description: str, what: str) -> str:
    """The one argument NAME of a stage; argparse answers `--help` and a missing one.

    Args:
        description: of the stage, for `--help`.
        what: which names there are, for `--help`.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("name", help=what)
    return parser.parse_args().name
