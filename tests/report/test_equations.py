"""LaTeX of our own, set as MathML; what is no mathematics is an error, and nothing gets out as markup."""

from xml.etree import ElementTree

import fabricate
import pytest

from common.errors import SettingsError
from common.measure.paper import Equation, load_paper
from common.runs.settings import package_folder, papers
from report.equations import equations, mathml

MATH = "{http://www.w3.org/1998/Math/MathML}"


def texts(markup):
    return "".join(ElementTree.fromstring(markup).itertext())


@pytest.mark.parametrize("name", papers())
def test_every_equation_of_every_paper_can_be_set(name):
    paper = load_paper(package_folder(f"replications.{name}"))
    items = equations(paper)
    assert 2 <= len(items) <= 3
    for item in items:
        root = ElementTree.fromstring(item.markup)
        assert root.tag == f"{MATH}math" and root.get("display") == "block" and root.get("alttext") == item.latex
        assert len(texts(item.markup)) > 8 and "\\" not in texts(item.markup) and "&" not in texts(item.markup)


def test_symbols_arrive_as_symbols():
    text = texts(mathml(r"\frac{\partial \log p}{\partial t} = -\mathrm{tr}(x) \mid \theta"))
    assert "∂" in text and "θ" in text and "tr" in text.replace(" ", "")
    assert texts(mathml("a < b")) == "a<b" and "&lt;" in mathml("a < b")


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", r"\text{<script>alert(1)</script>}", r"\text{\&lt;script>}"])
def test_markup_in_latex_stays_text(hostile):
    try:
        markup = mathml(hostile)
    except ValueError:
        return
    assert "<script" not in markup.lower()
    assert "script" not in {element.tag.removeprefix(MATH) for element in ElementTree.fromstring(markup).iter()}


@pytest.mark.parametrize("hostile", [r"\href{javascript:alert(1)}{x}", r'\class{" onclick="alert(1)}{x}', r"\style{x:y}{z}"])
def test_what_is_no_mathematics_does_not_pass(hostile):
    with pytest.raises(ValueError):
        mathml(hostile)


@pytest.mark.parametrize("wrong", [r"\frac{1}{", r"x_", r"\left( x", r"\nosuchcommand x", r"{x", r"\begin{matrix} x"])
def test_what_is_no_latex_is_an_error_that_names_file_and_key(tmp_path, wrong):
    paper = load_paper(fabricate.papers(tmp_path) / "flow_paper")
    entries = [Equation(latex="x", says="s", where="w"), Equation(latex=wrong, says="s", where="w")]
    broken = paper.model_copy(update={"equations": entries})
    broken._folder = paper.folder
    with pytest.raises(SettingsError, match=r"flow_paper/paper\.yaml: equations\.1\.latex: "):
        equations(broken)
