"""Stage `report`: all models side by side, and which differences between them are real.

It reads reports/data/, reports/models/, reports/provenance.json and what studies have measured;
all of it is in git, so that the report can be made anew without the models.

Usage: python src/report.py
"""

from pathlib import Path

from fifteen.common.errors import run_stage
from fifteen.common.files import new_file, new_folder, write_json
from fifteen.params.reading import load_params
from fifteen.reporting.content import report_charts, report_content
from fifteen.reporting.documents import chart_png, chart_scripts, render, render_page
from fifteen.reporting.model_card import card_content
from fifteen.reporting.numbers_file import numbers_file, validation_accuracies
from fifteen.reporting.recorded import read_commits, read_recorded, trials_table
from fifteen.reporting.terminal import headline
from fifteen.studies.measurements import measured_by_kind

REPORTS = Path("reports")


def main() -> None:
    """Write the numbers file, the charts and the report of all models in params.yaml."""
    params = load_params()
    recorded = read_recorded(REPORTS, params.model_names())
    metrics = numbers_file(
        recorded.models,
        recorded.data,
        params.budget.epochs,
        recorded.labels,
        recorded.answers,
        read_commits(REPORTS / "provenance.json"),
    )
    studies = measured_by_kind(params)
    content = report_content(metrics, recorded, studies)
    card = card_content(metrics, content["aliases"]["champion"], params.data.split)
    charts = report_charts(content, recorded)

    write_json(REPORTS / "metrics.json", metrics)
    write_json(REPORTS / "accuracy.json", validation_accuracies(metrics["models"]))
    with new_folder(REPORTS / "figures") as folder:
        for name, chart in charts.items():
            (folder / f"{name}.png").write_bytes(chart_png(chart))
    with new_folder(REPORTS / "tune") as folder:
        trials_table(recorded.searches).to_csv(folder / "trials.csv", index=False)
    with new_file(REPORTS / "curves.csv") as partial:
        recorded.histories.to_csv(partial, index=False)
    documents = {
        "model_card.md": render("model_card.md.j2", content | {"card": card}),
        "results.md": render("report.md.j2", content),
        "report.html": render_page(content, REPORTS, charts),
        "vega.js": chart_scripts(),  # for the page of `dvc plots`
    }
    for name, text in documents.items():
        with new_file(REPORTS / name) as partial:
            partial.write_text(text, encoding="utf-8")
    print(headline(metrics))


if __name__ == "__main__":
    run_stage(main)
