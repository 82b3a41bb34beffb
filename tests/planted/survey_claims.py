"""Mistakes to plant in the survey's statistics."""

S = "replications/survey"
TS = f"tests/{S}/test_survey_claims"
FACTS, OF_FACTS = f"{S}/claims_identities.py", f"{TS}_identities.py"
SAMPLERS, OF_SAMPLERS = f"{S}/claims_samplers.py", f"{TS}_samplers.py"
TRAINING, OF_TRAINING = f"{S}/claims_training.py", f"{TS}_training.py"

MUTANTS = [
    (
        FACTS,
        'metric="loss_gap").value(each=("method", "variant"))',
        'metric="loss_gap").value("score", each=("variant",))',
        OF_FACTS,
    ),
    (FACTS, 'variant="vp").value("ddpm_gap")', 'variant="vp").value("heun")', OF_FACTS),
    (FACTS, 'metric="marginal_gap", at="largest")', 'metric="marginal_gap", at="smallest")', OF_FACTS),
    (FACTS, '.value("ode", each=("variant",), by="smallest")', '.value("ode", each=("variant",))', OF_FACTS),
    (FACTS, '.value("sde", each=("variant",))', '.value("sde", each=("variant",), by="mean")', OF_FACTS),
    (FACTS, 'FIRST, SECOND = ("euler", "ddim")', 'FIRST, SECOND = ("euler", "euler")', OF_FACTS),
    (FACTS, '("heun", "edm_heun", "dpm_solver_pp_2m")', '("heun", "dpm_solver_pp_2m")', OF_FACTS),
    (FACTS, "_furthest_order(metrics, FIRST, 1.0)", "_furthest_order(metrics, FIRST, 2.0)", OF_FACTS),
    (FACTS, "_furthest_order(metrics, SECOND, 2.0)", "_furthest_order(metrics, SECOND, 1.0)", OF_FACTS),
    (FACTS, "by_path.max(axis=1) / by_path.min(axis=1)", "by_path.max(axis=1)", OF_FACTS),
    (
        FACTS,
        'CHAINS.value("analytic", each=("variant", "at"))',
        'CHAINS.also(at="largest").value("analytic", each=("variant",))',
        OF_FACTS,
    ),
    (FACTS, 'for name in ("posterior", "forward")', 'for name in ("posterior",)', OF_FACTS),
    (FACTS, 'chain.also(at="smallest").value', 'chain.also(at="largest").value', OF_FACTS),
    (FACTS, "gap[gap.columns[-1]] / gap[gap.columns[0]]", "gap[gap.columns[0]] / gap[gap.columns[-1]]", OF_FACTS),
    (FACTS, 'BOUND.value(each=("method", "at"), by="smallest")', 'BOUND.value(each=("method", "at"))', OF_FACTS),
    (FACTS, "WRONG = (-0.2, -0.1, 0.1, 0.2)", "WRONG = (-0.2, -0.1, 0.2)", OF_FACTS),
    (FACTS, '"other": other}).abs()', '"other": other})', OF_FACTS),
    (SAMPLERS, 'FLOWS = ("ddim", ', "FLOWS = (", OF_SAMPLERS),
    (
        SAMPLERS,
        'NOISY = ("euler_maruyama", "ancestral", "edm_heun_churn")',
        'NOISY = ("euler_maruyama", "ancestral")',
        OF_SAMPLERS,
    ),
    (SAMPLERS, "FEW = (10.0, 20.0)", "FEW = (10.0, 50.0)", OF_SAMPLERS),
    (SAMPLERS, "for nfe in (10.0, 50.0)", "for nfe in (50.0, 10.0)", OF_SAMPLERS),
    (SAMPLERS, "ratio(few, many)", "ratio(many, few)", OF_SAMPLERS),
    (SAMPLERS, "found.also(at=1000.0)", "found.also(at=100.0)", OF_SAMPLERS),
    (SAMPLERS, '("euler_maruyama", "predictor_corrector", "ancestral"))', '("euler_maruyama", "ancestral"))', OF_SAMPLERS),
    (
        SAMPLERS,
        'DDPM.ratio(QUICK, {"method": "ancestral", "at": 100.0})',
        'DDPM.ratio(QUICK, {"method": "ancestral", "at": 50.0})',
        OF_SAMPLERS,
    ),
    (SAMPLERS, '"at": 2 * nfe}', '"at": nfe}', OF_SAMPLERS),
    (SAMPLERS, 'SMOOTH, UNCORRECTED = ("ve", "ot")', 'SMOOTH, UNCORRECTED = ("vp", "ot")', OF_SAMPLERS),
    (
        SAMPLERS,
        '"largest", *(each.ratio("predictor_corrector"',
        '"geometric_mean", *(each.ratio("predictor_corrector"',
        OF_SAMPLERS,
    ),
    (SAMPLERS, "if curve.shape[1] > 1}", "}", OF_SAMPLERS),
    (SAMPLERS, 'if cell["variant"] in variants}', "}", OF_SAMPLERS),
    (SAMPLERS, "REACHED = 2.0", "REACHED = 1.0", OF_SAMPLERS),
    (SAMPLERS, "REACHED * floors[name].iloc[:, 0])", "REACHED)", OF_SAMPLERS),
    (SAMPLERS, "curve.iloc[:, -1] / curve.min(axis=1)", "curve.iloc[:, -1] / curve.iloc[:, 0]", OF_SAMPLERS),
    (SAMPLERS, "_on(EXACT, PATHS, [100.0])", "_on(EXACT, PATHS, [50.0])", OF_SAMPLERS),
    (
        SAMPLERS,
        '({"variant": "ddpm_vp"}, {"variant": "empirical_vp"})',
        '({"variant": "empirical_vp"}, {"variant": "ddpm_vp"})',
        OF_SAMPLERS,
    ),
    (SAMPLERS, "(alone - known).abs()", "(alone - known)", OF_SAMPLERS),
    (TRAINING, "nll_gained = NLL.difference(LIKELIHOOD, SCORE)", "nll_gained = NLL.difference(SCORE, LIKELIHOOD)", OF_TRAINING),
    (TRAINING, 'axis="step", at="largest")', 'axis="step", at="smallest")', OF_TRAINING),
    (TRAINING, "quality_paid = END.ratio(LIKELIHOOD, SCORE)", "quality_paid = END.ratio(LIKELIHOOD, NOISE)", OF_TRAINING),
    (TRAINING, 'noisier_early = SCALE.also(variant="early")', 'noisier_early = SCALE.also(variant="trained")', OF_TRAINING),
    (TRAINING, 'noisier = SCALE.also(variant="trained")', 'noisier = SCALE.also(variant="early")', OF_TRAINING),
    (TRAINING, 'variant="trained", axis="t")', 'variant="early", axis="t")', OF_TRAINING),
    (TRAINING, "if t < 0.1]", "if t < 0.2]", OF_TRAINING),
    (TRAINING, "_early_share(metrics, SCORE))", "_early_share(metrics, NOISE))", OF_TRAINING),
    (TRAINING, "output_quality = END.ratio(SCORE, NOISE)", "output_quality = END.ratio(NOISE, SCORE)", OF_TRAINING),
    (
        TRAINING,
        "output_likelihood = NLL.difference(SCORE, NOISE)",
        "output_likelihood = NLL.difference(NOISE, SCORE)",
        OF_TRAINING,
    ),
    (TRAINING, "at=12.0)", "at=8.0)", OF_TRAINING),
    (TRAINING, "weighting_cost = COSTS.ratio(LIKELIHOOD, SCORE)", "weighting_cost = COSTS.ratio(LIKELIHOOD, NOISE)", OF_TRAINING),
]
ORDER = ("common/measure/paper.py", "return self.surveys, self.arxiv", "return False, self.arxiv", "tests/test_layers.py")
MUTANTS.append(ORDER)
WATCHED = {FACTS: OF_FACTS, SAMPLERS: OF_SAMPLERS, TRAINING: OF_TRAINING}
