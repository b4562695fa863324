"""The command line of a stage."""

import argparse


def name_argument(description: str, what: str) -> str:
    """The argument NAME of a stage, from the command line.

    Args:
        description: of the stage, for `--help`.
        what: the names it takes, for `--help`.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("name", help=what)
    return parser.parse_args().name
