"""A document as one HTML file and one PDF.

Belongs here: the two forms and their templates. Does not belong here: what is said (`document`).

No text of the document is ever markup: Jinja escapes it, and Typst gets it as JSON, never as source. Typst sets the
PDF, because it is one wheel without system libraries (WeasyPrint wants Pango) and takes the same SVG as the page.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import typst
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from orchestration.monthly.document import Document

_TEMPLATES = Path(__file__).with_name("templates")


def render_html(document: Document) -> str:
    """Return the report as a page that needs no other file and runs no script."""
    environment = Environment(
        loader=PackageLoader("orchestration.monthly"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Charts are ours and hold no foreign name.
    environment.filters["drawn"] = Markup
    return environment.get_template("report.html.j2").render(document=document)


def render_pdf(document: Document) -> bytes:
    """Return the report as a PDF for paper of A4."""
    content = json.dumps(asdict(document))
    return typst.compile(_TEMPLATES / "report.typ", sys_inputs={"document": content})
