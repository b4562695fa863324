"""The results in Markdown, for the README and for pull requests."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fifteen.reporting.search_tables import taken_back_sentences
from fifteen.reporting.seeds import Trained, seeds_markdown
from fifteen.reporting.tables import (
    Metrics,
    comparisons_markdown,
    ensemble_verdicts,
    headline,
    results_markdown,
)


def summary_markdown(
    metrics: Metrics,
    searches: Iterable[Mapping[str, Any]],
    seeds: Mapping[str, Sequence[Trained]] | None = None,
) -> str:
    """A table, what it comes to, what searches found, and how seeds differ.

    Args:
        metrics: the content of `reports/metrics.json`.
        searches: the content of each `search.json`.
        seeds: that of `reports/seeds.json`, where it is there.
    """
    parts = [results_markdown(metrics), headline(metrics) + "\n"]
    parts.append(_bullets(ensemble_verdicts(metrics)))
    for search in searches:
        parts.append(f"What of the hyperparameters found for {search['variant']} did it:\n")
        parts.append(_bullets(taken_back_sentences(search, metrics["validation_images"])))
    if seeds:
        parts.append(seeds_markdown(seeds))
    return "\n".join(parts)


def results_page(metrics: Metrics, searches: Iterable[Mapping[str, Any]]) -> str:
    """The summary as a page of its own, with every comparison: `reports/results.md`.

    Without seeds: those are measured after the pipeline, by `make seeds`.
    """
    return (
        f"# Results\n\n{summary_markdown(metrics, searches)}\n"
        f"## Every comparison\n\n{comparisons_markdown(metrics)}"
    )


def _bullets(sentences: Sequence[str]) -> str:
    return "".join(f"- {sentence}\n" for sentence in sentences)
