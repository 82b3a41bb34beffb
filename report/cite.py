"""What to cite, as BibTeX to copy: a paper, and a run of this repository."""

import re
import unicodedata
from collections.abc import Mapping, Sequence

from common.measure.figures import RunFolder
from common.measure.paper import Paper
from common.runs.settings import ROOT, load_yaml
from report import cost

TEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


def paper_entry(paper: Paper) -> str:
    """Return a paper's entry; its key does not change: first author, year on arXiv, first word of the title."""
    published = re.fullmatch(r"(.+) (\d{4})", paper.venue)
    year = published[2] if published else str(paper.year)
    venue = {"booktitle" if published else "howpublished": paper.venue, "year": year}
    key = _ascii(paper.authors[0].split()[-1]) + str(paper.year) + _ascii(re.split(r"[\s:]", paper.title)[0])
    shared = {"title": paper.title, "author": paper.authors, **venue, "eprint": paper.arxiv, "archivePrefix": "arXiv"}
    return entry("inproceedings" if published else "misc", key, shared)


def run_entry(level: str, runs: Sequence[RunFolder], day: str) -> str:
    """Return the entry of a run of a level; `day` is that of its last run, "" if there is none."""
    citation = load_yaml(ROOT / "CITATION.cff")
    commits, machines = cost.distinct(runs, "commit"), cost.machines(runs)
    facts = [f"{each.facts['cpu']}, {each.facts['cores']} cores, {each.facts['device']}" for each in machines]
    note = "; ".join(filter(None, [", ".join(facts), f"commit {', '.join(commits)}" if commits else "", day]))
    key = "-".join(filter(None, ["retrace", level, *(commit.rstrip("+") for commit in commits[:1])]))
    fields = {"title": f"{citation['title']}, level {level}", "author": [author["name"] for author in citation["authors"]]}
    return entry("misc", key, {**fields, "version": citation["version"], "year": day[:4], "note": note}, whole_names=True)


def entry(kind: str, key: str, fields: Mapping[str, str | Sequence[str]], *, whole_names: bool = False) -> str:
    """Return a BibTeX entry; empty fields are left out, and `whole_names` are those of groups, not of persons."""
    lines = [f"  {name} = {{{_value(name, value, whole_names)}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{kind}{{{key},", *lines, "}"])


def _value(name: str, value: str | Sequence[str], whole_names: bool) -> str:
    if not isinstance(value, str):
        return " and ".join(f"{{{tex(one)}}}" if whole_names else tex(one) for one in value)
    return f"{{{tex(value)}}}" if name == "title" else tex(value)  # braces keep its capitals


def tex(text: str) -> str:
    """Return text in which nothing is a command of TeX."""
    return "".join(TEX.get(sign, sign) for sign in " ".join(text.split()))


def _ascii(word: str) -> str:
    plain = unicodedata.normalize("NFKD", word).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]", "", plain.lower())
