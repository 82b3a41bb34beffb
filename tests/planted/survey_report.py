"""Mistakes to plant in the comparison's choices, its advice, and in what dots say."""

S, TS = "replications/survey", "tests/replications/survey/test_survey"
FRONTS, OF_FRONTS = f"{S}/fronts.py", f"{TS}_fronts.py"
ADVICE, OF_ADVICE = f"{S}/advice.py", f"{TS}_advice.py"
GRID, OF_FIGURES = f"{S}/figures_grid.py", f"{TS}_figures.py"
TIPS, OF_TIPS = "report/tips.py", "tests/report/test_tips.py"

MUTANTS = [
    (FRONTS, '(rows.status == "ok") & (rows.method != "data")', '(rows.method != "data")', OF_FRONTS),
    (FRONTS, '(rows.status == "ok") & (rows.method != "data")', '(rows.status == "ok")', OF_FRONTS),
    (FRONTS, "1000 * mine.seconds / mine.n", "1000 * mine.seconds", OF_FRONTS),
    (FRONTS, "found[found.replicates == most]", "found[found.replicates > 0]", OF_FRONTS),
    (FRONTS, "ascending=[False, True]", "ascending=[True, True]", OF_FRONTS),
    (FRONTS, "cells[cells.nfe <= budget]", "cells[cells.nfe < budget]", OF_FRONTS),
    (FRONTS, "(mean.replicates == cells.seed.nunique())", "(mean.replicates > 0)", OF_FRONTS),
    (FRONTS, "ordered[ordered.value < best]", "ordered[ordered.value <= ordered.value.min()]", OF_FRONTS),
    (FRONTS, "ordered.value.cummin().shift(", "ordered.value.shift(", OF_FRONTS),
    (
        ADVICE,
        'return f"{mean:.2f} [{low:.2f}, {high:.2f}]"',
        'return f"{mean:.2f} [{found.low:.2f}, {found.high:.2f}]"',
        OF_ADVICE,
    ),
    (ADVICE, "mean = float(np.exp(logs.mean()))", "mean = float((a / b).mean())", OF_ADVICE),
    (ADVICE, "ratio(table[second], table[first])", "ratio(table[first], table[second])", OF_ADVICE),
    (ADVICE, "ratio(table[first], floor)", "ratio(floor, table[first])", OF_ADVICE),
    (ADVICE, "return found.low > 0 or found.high < 0", "return found.low > 0", OF_ADVICE),
    (ADVICE, "sum(not apart(", "sum(apart(", OF_ADVICE),
    (ADVICE, "reindex(columns=[FLOWS, NOISY]).dropna()", "reindex(columns=[FLOWS, NOISY])", OF_ADVICE),
    (ADVICE, "np.log(both[FLOWS] / both[NOISY])", "np.log(both[NOISY] / both[FLOWS])", OF_ADVICE),
    (ADVICE, "int((models < 0).sum())", "int((models > 0).sum())", OF_ADVICE),
    (ADVICE, "(centred.mean(axis=1) ** 2)", "(centred.mean() ** 2)", OF_ADVICE),
    (ADVICE, "ratio(whole[order[1]], whole[order[0]])", "ratio(whole[order[0]], whole[order[1]])", OF_ADVICE),
    (ADVICE, 'cells[~cells.variant.str.startswith("empirical")]', "cells", OF_ADVICE),
    (GRID, "max((each for each in asked if each <= BUDGET)", "min((each for each in asked if each <= BUDGET)", OF_FIGURES),
    (GRID, '(rows.status == "refused")', '(rows.status == "ok")', OF_FIGURES),
    (GRID, "Tip(axis, across, down,", "Tip(axis, down, across,", OF_FIGURES),
    (TIPS, "float(1 - y), tip.text", "float(y), tip.text", OF_TIPS),
    (TIPS, "if visible else Place(-1, -1,", "if True else Place(-1, -1,", OF_TIPS),
    (TIPS, "height * y:.1f", "height * (1 - y):.1f", OF_TIPS),
    (TIPS, "escape(text)", "text", OF_TIPS),
    (TIPS, "if axis not in [tip.axis for tip in own]", "if axis", OF_TIPS),
    (TIPS, "[] if figure.photographic else", "", OF_TIPS),
]
WATCHED = {FRONTS: OF_FRONTS, ADVICE: OF_ADVICE, TIPS: OF_TIPS}
