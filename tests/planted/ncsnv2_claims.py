"""Mistakes to plant in NCSNv2's statistics: file, what stands there, what a slip would make of it, tests that should fail."""

S = "replications/ncsnv2"
TS = f"tests/{S}"
FACTS, OF_FACTS = f"{S}/claims_facts.py", f"{TS}/test_ncsnv2_claims_facts.py"
TRAINING, OF_TRAINING = f"{S}/claims_training.py", f"{TS}/test_ncsnv2_claims_training.py"

MUTANTS = [
    (FACTS, '.value("drawn", each=("at",), by="largest")', '.value("drawn", each=("at",), by="mean")', OF_FACTS),
    (FACTS, 'metric="shell_mass", at="largest"', 'metric="shell_mass", at="smallest"', OF_FACTS),
    (FACTS, 'difference("formula", "exact")', 'difference("exact", "formula")', OF_FACTS),
    (FACTS, 'LADDERS.also(variant="ncsnv2")', "LADDERS", OF_FACTS),
    (FACTS, "combined((published - rule).abs(), ", "combined((published - rule), ", OF_FACTS),
    (FACTS, '"dataset"), MASS)', '"dataset"), 0.0)', OF_FACTS),
    (FACTS, "0.0).abs()", "0.0)", OF_FACTS),
    (FACTS, 'each=("dataset", "variant"), by="smallest"', 'each=("dataset", "variant"), by="mean"', OF_FACTS),
    (FACTS, 'APART.also(variant=NARROW).value("one image"', 'APART.also(variant=NARROW).value("uniform"', OF_FACTS),
    (FACTS, 'dataset="cifar10", variant=LIKE_NCSN)', 'dataset="cifar10", variant=NARROW)', OF_FACTS),
    (FACTS, "reached[max(reached.columns)] / reached[min(", "reached[min(reached.columns)] / reached[max(", OF_FACTS),
    (FACTS, '_kept_with_size(metrics, "ncsnv2")', '_kept_with_size(metrics, "ncsn")', OF_FACTS),
    (TRAINING, '"ncsn", "variant": "not denoised"', '"ncsn", "variant": "denoised"', OF_TRAINING),
    (TRAINING, "FRECHET.ratio(NOISY, BEST)", "FRECHET.ratio(BEST, NOISY)", OF_TRAINING),
    (TRAINING, "celeba64_over_ncsn = CELEBA64", "celeba64_over_ncsn = CIFAR10", OF_TRAINING),
    (TRAINING, "ratio(of(averaged), of(raw))", "ratio(of(raw), of(averaged))", OF_TRAINING),
    (TRAINING, 'TRAININGS.items()}), "largest")', 'TRAININGS.items()}), "mean")', OF_TRAINING),
    (TRAINING, "if at <= STEADY]", "if at < STEADY]", OF_TRAINING),
    (TRAINING, "if at <= STEADY]", "if at]", OF_TRAINING),
    (TRAINING, 'ratio(means[arm], means["ncsn"])', 'means[arm] / means["ncsn"]', OF_TRAINING),
    (TRAINING, "(masses - MASS).abs().idxmin()", "(masses - MASS).idxmin()", OF_TRAINING),
    (TRAINING, "found[min(found.columns)] / found[chosen]", "found.max(axis=1) / found[chosen]", OF_TRAINING),
    (TRAINING, "found[1.0] / found.min(axis=1)", "found[1.0] / found.max(axis=1)", OF_TRAINING),
    (TRAINING, 'over("largest", *(SIZES', 'over("geometric_mean", *(SIZES', OF_TRAINING),
    (TRAINING, '{"method": "ncsnv2", "variant": "test"}', '{"method": "ncsnv2_index", "variant": "test"}', OF_TRAINING),
    (TRAINING, "steps.max(axis=1) / steps.min(axis=1) - 1", "steps.max(axis=1) - steps.min(axis=1)", OF_TRAINING),
    (TRAINING, '.drop_duplicates(["method", "at", "seed", "value"])', "", OF_TRAINING),
    (TRAINING, '    "smallest",\n', '    "largest",\n', OF_TRAINING),
    (TRAINING, 'method="noise", at="smallest"', 'method="noise", at="largest"', OF_TRAINING),
    (TRAINING, "along[[0.0, 1.0]].max(axis=1)", "along[[0.0, 1.0]].min(axis=1)", OF_TRAINING),
    (TRAINING, 'along(metrics, "noise")', 'along(metrics, "blend")', OF_TRAINING),
]
WATCHED = {FACTS: OF_FACTS, TRAINING: OF_TRAINING}
