"""Pages: one file with everything in it, no script, no request; a policy in the page forbids both."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from edgeshrink.report.format import DASH, MARKS, duration, human_bytes, number, plain, reading_text, short_text


def page(template: str, **values: Any) -> str:
    """The template of that name, filled in. Every text is escaped; equal values give equal pages."""
    environment = _environment()
    css = Markup(environment.loader_text("report.css"))
    return environment.get_template(template).render(css=css, marks=MARKS, dash=DASH, **values)


class _Templates(Environment):
    def loader_text(self, name: str) -> str:
        """A file beside the templates, as it is."""
        assert self.loader is not None
        return self.loader.get_source(self, name)[0]


@cache
def _environment() -> _Templates:
    environment = _Templates(
        loader=PackageLoader("edgeshrink.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "plain": lambda text: plain(str(text)),
        "bytes": human_bytes,
        "duration": duration,
        "number": number,
        "reading": reading_text,
        "short": short_text,
    }
    return environment
