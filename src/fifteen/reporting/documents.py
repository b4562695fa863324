"""From templates to documents: Markdown files, and one HTML page that needs nothing but itself.

Each section is written once, in Markdown. Where a section has a table, a chart or a picture, the
medium says what stands there.
"""

import base64
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from fifteen.reporting import formats
from fifteen.reporting.formats import Table
from fifteen.reporting.style import small_png

import altair as alt
import jinja2
import vl_convert
from markdown_it import MarkdownIt
from markupsafe import Markup, escape
from PIL import Image

TEMPLATES = Path(__file__).parent / "templates"
SCALE = 1.5  # of the PNG files, in dots per pixel


class MarkdownMedium:
    """What stands where a template has a table, a chart or a picture: Markdown and links.

    Paths are relative to reports/; the label of a table is for those who do not see it.
    """

    def table(self, table: Table, label: str) -> Markup:
        """The table in Markdown."""
        del label
        return table.markdown()

    def chart(self, name: str, caption: str) -> Markup:
        """The picture of the chart of this name."""
        return self.picture(f"figures/{name}.png", caption)

    def picture(self, path: str, caption: str) -> Markup:
        """A link to the picture."""
        return Markup(f"![{escape(caption)}]({path})")


@dataclass
class PageMedium(MarkdownMedium):
    """The same on the page: tables that sort, charts that the browser draws, pictures inside."""

    reports: Path  # the folder that the paths of pictures are relative to
    charts: Mapping[str, alt.TopLevelMixin]  # by name

    def table(self, table: Table, label: str) -> Markup:
        """The table in HTML."""
        return table.html(label)

    def chart(self, name: str, caption: str) -> Markup:
        """The chart as a figure, its specification in a script element."""
        spec = json.dumps(_rounded(self.charts[name].to_dict()), separators=(",", ":"))
        spec = spec.replace("<", "\\u003c")  # what ends a script element must not stand inside one
        return Markup(
            f'<figure>\n<div class="chart" id="chart-{name}" role="img" '
            f'aria-label="{escape(caption)}"></div>\n'
            f'<script type="application/json" data-chart="chart-{name}">{spec}</script>\n'
            f"<figcaption>{escape(caption)}</figcaption>\n</figure>"
        )

    def picture(self, path: str, caption: str) -> Markup:
        """The picture as a figure; as WebP the same pixels take a fifth less."""
        content = io.BytesIO()
        with Image.open(self.reports / path) as image:
            image.save(content, "webp", lossless=True)
            width, height = image.size
        data = base64.b64encode(content.getvalue()).decode("ascii")
        return Markup(
            f'<figure>\n<img class="photographs" src="data:image/webp;base64,{data}" '
            f'width="{width}" height="{height}" alt="{escape(caption)}">\n'
            f"<figcaption>{escape(caption)}</figcaption>\n</figure>"
        )


def render(template: str, content: Mapping[str, Any], medium: MarkdownMedium | None = None) -> str:
    """A document in Markdown, or in plain text (`*.txt.j2`).

    Args:
        template: the name of a file in templates/.
        content: what it shows; names of classes and models in it are data and are escaped.
        medium: of its tables, charts and pictures; Markdown where nothing else is said.
    """
    is_text = template.endswith(".txt.j2")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        autoescape=not is_text,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters = ("percent", "points", "decimals", "whole", "p_value", "setting", "listed")
    functions = ("interval", "points_with_error", "share_with_interval")
    environment.filters |= {name: getattr(formats, name) for name in filters}
    environment.globals |= {name: getattr(formats, name) for name in functions}
    environment.globals["medium"] = medium or MarkdownMedium()
    text = environment.get_template(template).render(content)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def render_page(
    content: Mapping[str, Any], reports: Path, charts: Mapping[str, alt.TopLevelMixin]
) -> str:
    """The report as an HTML page, with every image and script in it.

    `content` and `charts` are those of `fifteen.reporting.content`; `reports` is the folder with
    data/ and models/.
    """
    markdown = render("report.md.j2", content, PageMedium(reports, charts))
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = parser.parse(markdown)
    sections = []
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open" and opening.tag in ("h2", "h3"):
            anchor = re.sub(r"\W+", "-", inline.content.lower()).strip("-")
            opening.attrSet("id", anchor)
            if opening.tag == "h2":
                sections.append((anchor, inline.content))
    page = {
        "body": Markup(parser.renderer.render(tokens, parser.options, {})),
        "sections": sections,
        "scripts": Markup(chart_scripts()),
    }
    return render("page.html.j2", {**content, **page})


def chart_scripts() -> str:
    """The JavaScript that draws charts in a page: vega, vega-lite and vegaEmbed."""
    return vl_convert.javascript_bundle()  # type: ignore[call-arg]


def chart_png(chart: alt.TopLevelMixin) -> bytes:
    """A chart as a PNG file of 256 colours."""
    return small_png(vl_convert.vegalite_to_png(chart.to_json(), scale=SCALE))


def _rounded(spec: Any) -> Any:  # noqa: ANN401 - any JSON
    """A specification whose numbers have the five digits that a reader can see."""
    if isinstance(spec, dict):
        return {key: _rounded(value) for key, value in spec.items()}
    if isinstance(spec, list):
        return [_rounded(value) for value in spec]
    return float(f"{spec:.5g}") if isinstance(spec, float) else spec
