"""The command lines of stages."""

import argparse


def name_argument(description: str, what: str) -> str:
    """The one argument NAME of a stage; argparse answers `--help` and a missing one.

    Args:
        description: of the stage, for `--help`.
        what: which names there are, for `--help`.
    """
    return _parser(description, what).parse_args().name


def name_and_seed(description: str, what: str) -> tuple[str, int]:
    """The arguments NAME and SEED of a stage that measures; as `name_argument`."""
    parser = _parser(description, what)
    parser.add_argument("seed", type=int)
    given = parser.parse_args()
    return given.name, given.seed


def _parser(description: str, what: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("name", help=what)
    return parser
