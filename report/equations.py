"""Equations: the LaTeX of a paper.yaml -> MathML, which browsers set without a script.

The library writes an element tree; it is serialised here, so that whatever the LaTeX says is text or an attribute of one of
MathML's elements. What it does not know is an error, not a word in red on the page.
"""

import html
import re
from dataclasses import dataclass
from xml.etree import ElementTree

from latex2mathml.converter import convert_to_element
from markupsafe import Markup

from common.errors import SettingsError
from common.measure.paper import Paper
from common.runs.settings import shown

ELEMENTS = {
    *("math", "mfrac", "mi", "mn", "mo", "mover", "mpadded", "mphantom", "mroot", "mrow", "ms", "mspace", "msqrt", "mstyle"),
    *("msub", "msubsup", "msup", "mtable", "mtd", "mtext", "mtr", "munder", "munderover"),
}
ATTRIBUTES = {
    *("accent", "accentunder", "columnalign", "columnspacing", "display", "displaystyle", "fence", "form", "height", "depth"),
    *("linethickness", "lspace", "rspace", "mathvariant", "maxsize", "minsize", "movablelimits", "rowspacing", "scriptlevel"),
    *("separator", "stretchy", "symmetric", "width", "xmlns", "largeop"),
}


@dataclass(frozen=True)
class Equation:
    """An equation ready to be set; `latex` is its source for those who copy it."""

    markup: Markup
    latex: str
    says: str
    where: str


def equations(paper: Paper) -> list[Equation]:
    """Return a paper's equations. Raises `SettingsError` naming the file and the key of one that is not LaTeX."""
    return [
        Equation(_converted(paper, number, entry.latex), entry.latex, entry.says, entry.where)
        for number, entry in enumerate(paper.equations)
    ]


def _converted(paper: Paper, number: int, latex: str) -> Markup:
    try:
        return mathml(latex)
    except ValueError as error:
        raise SettingsError(f"{shown(paper.folder / 'paper.yaml')}: equations.{number}.latex: {error}") from None


def mathml(latex: str) -> Markup:
    """Return a displayed equation as a MathML element. Raises `ValueError` for what is not LaTeX that the library knows."""
    braces = re.sub(r"\\.|[^{}]", "", latex)  # the library closes what is left open
    if braces.count("{") != braces.count("}"):
        raise ValueError(f"braces do not match; got {latex!r}")
    try:
        tree = convert_to_element(latex, display="block")
    except Exception as error:  # its own exceptions, of no common base, and those of its stack
        raise ValueError(f"is not valid LaTeX ({type(error).__name__} {error}); got {latex!r}") from None
    for element in tree.iter():
        # the library writes character references as text, and leaves it to the reader to tell them from text
        element.text = html.unescape(element.text) if element.text else element.text
        if "\\" in (element.text or ""):
            raise ValueError(f"unknown command {element.text}; got {latex!r}")
        if element.tag not in ELEMENTS or set(element.attrib) - ATTRIBUTES:
            raise ValueError(f"<{element.tag} {' '.join(element.attrib)}> is no mathematics; got {latex!r}")
    tree.set("alttext", latex)
    return Markup(ElementTree.tostring(tree, encoding="unicode"))  # escaped by ElementTree, checked above
