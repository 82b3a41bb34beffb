"""HTML from the views: pages with their style and script inside, every text escaped by Jinja."""

from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from common.measure.claims import JUDGED, VERDICTS
from common.measure.paper import GRADES, SOURCES, UNVERIFIED
from common.measure.verdicts import CONFIDENCE, KINDS, REPLICATES
from report import numbers

FOLDER = Path(__file__).resolve().parent


def render(template: str, page: Any) -> str:
    """Return a whole page. `page` is what the template shows: a `report.build.Index` or `report.build.PaperPage`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER / "templates"),
        autoescape=True,  # of every file: the default goes by names that end in .html, ours end in .jinja
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": numbers.number, "duration": numbers.duration, "slug": slug, "sentence": sentence}
    environment.globals |= {
        "CONFIDENCE": f"{CONFIDENCE:.0%}".replace("%", "\N{NO-BREAK SPACE}%"),
        "GRADES": GRADES,
        "JUDGED": JUDGED,
        "KINDS": KINDS,
        "REPLICATES": REPLICATES,
        "SOURCES": SOURCES,
        "UNVERIFIED": UNVERIFIED,
        "VERDICTS": VERDICTS,
        "plural": numbers.plural,
        "style": Markup((FOLDER / "style.css").read_text()),  # our own files, not data
        "script": Markup((FOLDER / "script.js").read_text()),
    }
    return environment.get_template(template).render(page=page)


def slug(text: str) -> str:
    """Return a verdict as a class name: "not run" -> "not-run"."""
    return text.replace(" ", "-")


def sentence(text: str) -> str:
    """Return text with a capital first letter and the rest as it is (Jinja's capitalize lowers the rest)."""
    return text[:1].upper() + text[1:]
