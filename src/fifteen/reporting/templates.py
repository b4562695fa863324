"""The Jinja templates of this folder."""

from pathlib import Path
from typing import Any

import jinja2


def environment(**options: Any) -> jinja2.Environment:  # noqa: ANN401 - those of Jinja
    """Where templates are found; a name that nothing gives is an error, and tags leave no lines."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        **options,
    )
