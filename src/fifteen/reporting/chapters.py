"""What was measured beside the pipeline, told in the same way in Markdown and on the page."""

from collections.abc import Iterable
from dataclasses import dataclass

from fifteen.reporting.tables import Row, markdown_table


@dataclass(frozen=True)
class Chapter:
    """A table under a title, and what it says in words.

    Attributes:
        title: of the table.
        sentences: what its numbers amount to; may be empty.
        header: the heads of the columns; the first two are of text.
        rows: text cells.
    """

    title: str
    sentences: list[str]
    header: Row
    rows: list[Row]


def chapters_markdown(chapters: Iterable[Chapter], note: str) -> str:
    """The chapters below each other, and a note on what the numbers rest on."""
    parts = []
    for chapter in chapters:
        parts.append(f"### {chapter.title}")
        if chapter.sentences:
            parts.append("\n".join(f"- {sentence}" for sentence in chapter.sentences))
        parts.append(markdown_table(chapter.header, chapter.rows, text_columns=2))
    return "\n\n".join([*parts, note]) + "\n"
