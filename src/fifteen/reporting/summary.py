"""The results in Markdown, for the README and for pull requests."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fifteen.reporting import ensembles, ladder, tables
from fifteen.reporting.descriptions import what_is_what
from fifteen.reporting.search_tables import taken_back_sentences
from fifteen.reporting.seeds import Trained, seeds_markdown
from fifteen.reporting.tables import Metrics, Row, markdown_table


def summary_markdown(
    metrics: Metrics,
    searches: Iterable[Mapping[str, Any]],
    changes: Sequence[ladder.Row],
    designs: Sequence[ensembles.Row],
    seeds: Mapping[str, Sequence[Trained]] | None = None,
) -> str:
    """A table, what it and what was measured beside it come to, and how seeds differ.

    Args:
        metrics: the content of `reports/metrics.json`.
        searches: the content of each `search.json`.
        changes: what each change is worth; may be empty.
        designs: how models may share the epochs; may be empty.
        seeds: that of `reports/seeds.json`, where it is there.
    """
    parts = [tables.results_markdown(metrics)]
    parts.append(f"{tables.headline(metrics)} {tables.choice(metrics)}\n")
    parts += [f"{sentence}\n" for sentence in lead(changes, designs)]
    parts.append(_bullets(tables.ensemble_verdicts(metrics)))
    for search in searches:
        parts.append(f"What of the hyperparameters found for {search['variant']} did it:\n")
        parts.append(_bullets(taken_back_sentences(search, metrics["validation_images"])))
    if seeds:
        parts.append(seeds_markdown(seeds))
    return "\n".join(parts)


def lead(changes: Sequence[ladder.Row], designs: Sequence[ensembles.Row]) -> list[str]:
    """What was measured beside the pipeline, in a few sentences: what brings most, what pays."""
    return [*ladder.largest_gains(changes), *ensembles.best_designs(designs)]


def results_page(
    metrics: Metrics,
    searches: Iterable[Mapping[str, Any]],
    diversities: Mapping[str, Mapping[str, Any]],
    changes: Sequence[ladder.Row],
    designs: Sequence[ensembles.Row],
    data: Mapping[str, Any],
) -> str:
    """What the report says, but for its figures, as a Markdown page: `reports/results.md`.

    Without seeds: those are measured after the pipeline, by `make seeds`.

    Args:
        metrics: the content of `reports/metrics.json`.
        searches: the content of each `search.json`.
        diversities: of the snapshots of each variant that are combined, as
            `tables.diversity_sentences` takes it.
        changes: what each change is worth; may be empty.
        designs: how models may share the epochs; may be empty.
        data: the content of `reports/data/summary.json`.
    """
    models = metrics["models"]
    worked, failed = tables.what_worked(metrics)
    sections = {
        "What is what": _what_is_what(models),
        "What worked": _bullets(worked),
        "What did not": _bullets(failed),
        "What each change is worth": ladder.ladder_markdown(changes) if changes else "",
        "Whether several models pay": ensembles.ensembles_markdown(designs) if designs else "",
        "How different the members of an ensemble are": "\n".join(
            f"Snapshots of {variant}:\n\n{_bullets(tables.diversity_sentences(found))}"
            for variant, found in diversities.items()
        ),
        "Calibration": _told(
            tables.calibration_sentence(models), tables.calibration_rows(models), text_columns=1
        ),
        "Data": _data(metrics, data),
        "Every comparison": tables.comparisons_markdown(metrics),
    }
    parts = [f"# Results\n\n{summary_markdown(metrics, searches, changes, designs)}"]
    parts += [f"## {title}\n\n{text}" for title, text in sections.items() if text]
    return "\n".join(parts)


def _what_is_what(models: Mapping[str, Any]) -> str:
    terms = [f"**{term}**: {meaning}" for term, meaning in tables.GLOSSARY.items()]
    return f"{markdown_table(*what_is_what(models), text_columns=2)}\n\n{_bullets(terms)}"


def _data(metrics: Metrics, data: Mapping[str, Any]) -> str:
    parts = [markdown_table(*tables.part_rows(data), text_columns=1) + "\n"]
    if data["copies_of_training_images"]:
        parts.append(_told(tables.copies_sentence(data), tables.copies_rows(data), text_columns=5))
    if metrics["doubtful_labels"]["images"]:
        doubtful = tables.doubtful_sentence(metrics), tables.doubtful_rows(metrics)
        parts.append(_told(*doubtful, text_columns=3))
    return "\n".join(parts)


def _told(sentence: str, table: tuple[Row, list[Row]], text_columns: int) -> str:
    return f"{sentence}\n\n{markdown_table(*table, text_columns)}\n"


def _bullets(sentences: Sequence[str]) -> str:
    return "".join(f"- {sentence}\n" for sentence in sentences)
