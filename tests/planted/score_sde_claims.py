"""Mistakes to plant in score SDE's statistics: file, what stands there, what a slip would make of it, tests that should fail."""

S = "replications/score_sde"
TS = f"tests/{S}"
FACTS, OF_FACTS = f"{S}/claims_facts.py", f"{TS}/test_score_sde_claims_facts.py"
SAMPLERS, CONTROL = f"{S}/claims_samplers.py", f"{S}/claims_control.py"
OF_SAMPLERS, MODELS = f"{TS}/test_score_sde_claims_samplers.py", f"{S}/claims_models.py"
OF_MODELS = f"{TS}/test_score_sde_claims_models.py"
STATISTICS, ROWS, ENTRIES = "common/measure/statistics.py", "common/measure/rows.py", "common/runs/entries.py"
OF_STATISTICS, OF_ROWS = "tests/common/measure/test_statistics.py", "tests/common/measure/test_rows.py"
OF_PLAN = "tests/common/runs/test_plan.py"

MUTANTS = [
    (FACTS, 'metric="overlay_gap", at="smallest"', 'metric="overlay_gap", at="largest"', OF_FACTS),
    (FACTS, 'each=("dataset", "variant"), wanted=-1.0)', 'each=("dataset", "variant"))', OF_FACTS),
    (FACTS, 'variant="sde to ode"', 'variant="sde to exact"', OF_FACTS),
    (FACTS, "(last.per_seed(metrics, name) - 1).abs()", "last.per_seed(metrics, name) - 1", OF_FACTS),
    (FACTS, 'for kind in ("P2", "PC") for name', 'for kind in ("P2",) for name', OF_FACTS),
    (FACTS, ".idxmin(axis=1)", ".idxmax(axis=1)", OF_FACTS),
    (SAMPLERS, "max(axis=1) for kind in (DOUBLED, CORRECTED)", "max(axis=1) for kind in (PLAIN, CORRECTED)", OF_SAMPLERS),
    (SAMPLERS, "curve.iloc[:, 1:-1].min", "curve.min", OF_SAMPLERS),
    (SAMPLERS, "found[list(OTHERS)].min(axis=1)", "found[list(PREDICTORS)].min(axis=1)", OF_SAMPLERS),
    (SAMPLERS, '("frechet_p2_rounded", ON_VP,', '("frechet_p2", ON_VP,', OF_SAMPLERS),
    (CONTROL, "accuracy.rank(axis=1).corrwith", "accuracy.corrwith", OF_SAMPLERS),
    (CONTROL, '(table["method"] == "inpainting") & (table["at"] == PUBLISHED)', '(table["method"] == "data")', OF_SAMPLERS),
    (CONTROL, 'distance.per_seed(metrics, "data")', 'distance.per_seed(metrics, "unconditional")', OF_SAMPLERS),
    (MODELS, 'variant=f"less {ON_SUB_VP}").value(ON_VP)', 'variant=f"less {ON_VE}").value(ON_VP)', OF_MODELS),
    (MODELS, "-paired({name: less_ve.per_seed", "paired({name: less_ve.per_seed", OF_MODELS),
    (MODELS, "distance.le(CLOSE * distance", "distance.ge(CLOSE * distance", OF_MODELS),
    (MODELS, "variance / variance.shift(axis=1)", "variance / variance.shift(-1, axis=1)", OF_MODELS),
    (MODELS, 'difference({"at": 0.1}, {"at": 1.0})', 'difference({"at": 0.3}, {"at": 1.0})', OF_MODELS),
    (MODELS, 'per_seed(table, method="ncsnpp_ve_discrete")', 'per_seed(table, method="ncsnpp_ve")', OF_MODELS),
    (STATISTICS, "np.isnan(table), np.inf, table", "np.isnan(table), 0.0, table", OF_STATISTICS),
    (STATISTICS, "table - wanted)).argmax", "table)).argmax", OF_STATISTICS),
    (ROWS, "in self.cells(metrics, each)}), wanted)", "in self.cells(metrics, each)}), 0.0)", OF_ROWS),
    (ENTRIES, "words.get(level, []) if isinstance", "next(iter(words.values())) if isinstance", OF_PLAN),
    (ENTRIES, 'checked += [(f"sweep.{key}"', 'checked += [] and [(f"sweep.{key}"', OF_PLAN),
]
WATCHED = {FACTS: OF_FACTS, SAMPLERS: OF_SAMPLERS, CONTROL: OF_SAMPLERS, MODELS: OF_MODELS}
