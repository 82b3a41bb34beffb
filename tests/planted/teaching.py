"""Mistakes to plant in what makes and judges notebooks: file, what stands there, a slip, and the tests that should fail."""

T, N = "replications/teaching.py", "replications/notebooks.py"
TEACHING, NOTEBOOKS, WALKS = (f"tests/replications/test_{name}.py" for name in ("teaching", "notebooks", "walkthroughs"))
FLOW = "replications/flow_matching/walkthrough.py"

MUTANTS = [
    (T, ":= float((found - right).abs().max())) <= within", ":= float((found - right).max())) <= within", TEACHING),
    (T, "found.shape != right.shape", "found.numel() > right.numel()", TEACHING),
    (T, "return full if chosen", "return small if chosen", TEACHING),
    (T, ".abs().max()", ".abs().min()", TEACHING),
    (T, "return [str(self)]", "return []", TEACHING),
    (N, "jupytext.reads(source if answers", "jupytext.reads(source if not answers", NOTEBOOKS),
    (N, "inside = line.strip() != END", "inside = False", NOTEBOOKS),
    (N, "*Path.cwd().iterdir()]", "]", NOTEBOOKS),
    (N, 'cell.id, cell.metadata = f"', 'cell.metadata["id"], cell.metadata = f"', NOTEBOOKS),
    (N, ".replace('\"', '\\\\\"')", "", NOTEBOOKS),
    (FLOW, "within=0.3, hint", "within=9.0, hint", WALKS),
    (FLOW, 'check("eight Euler steps"', 'print("eight Euler steps"', WALKS),
    (FLOW, "(t_next - t) * flow", "(t - t_next) * flow", WALKS),
    (FLOW, "x_t = path.alpha(t)", "axes = x_t + 1\nx_t = path.alpha(t)", WALKS),
    ("report/build.py", "    return WALKTHROUGH", '    return ""', "tests/report/test_page.py"),
    (
        "report/templates/paper.html.jinja",
        "{%- if page.walkthrough %}",
        "{%- if page.equations %}",
        "tests/report/test_page.py",
    ),
]
WATCHED: dict[str, str] = {}
