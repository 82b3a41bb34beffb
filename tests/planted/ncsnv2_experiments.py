"""Mistakes to plant in NCSNv2's sampler and in what is measured of its trained networks."""

S = "replications/ncsnv2"
TS = f"tests/{S}"
SAMPLING, ABLATION = f"{TS}/test_ncsnv2_sampling.py", f"{TS}/test_ncsnv2_ablation.py"
SETTINGS, LOSSES = f"{TS}/test_ncsnv2_sampler_settings.py", f"{TS}/test_ncsnv2_losses.py"
LARGE = f"{TS}/test_ncsnv2_trained_settings.py"

MUTANTS = [
    (f"{S}/sampling.py", "else levels)[-1])", "else levels)[0])", SAMPLING),
    (
        f"{S}/sampling.py",
        "network.model.known_times if levels is None else levels)[-1]",
        "network.model.known_times)[-1]",
        SAMPLING,
    ),
    (f"{S}/sampling.py", "denoised(model or network.model, chains", "denoised(network.model, chains", SAMPLING),
    (f"{S}/sampling.py", "rescaled(chains.images, (-1.0, 1.0), pixel_range)", "chains.images.clamp(-1, 1)", SAMPLING),
    (f"{S}/sampling.py", "(self.denoised, self.nfe + 1)", "(self.denoised, self.nfe)", SAMPLING),
    (f"{S}/sampling.py", "Sampled(chains.images.clamp(-1, 1), ", "Sampled(chains.images, ", SAMPLING),
    (f"{S}/sampling.py", "lambda x, t: network.model.noise(x, known)", "lambda x, t: network.model.score(x, known)", SAMPLING),
    (f"{S}/networks.py", "/ (len(levels) - 1))", "/ len(levels))", SAMPLING),
    (f"{S}/experiments/ablation.py", '"ncsn_5": Arm("ncsn", averaged=True)', '"ncsn_5": Arm("ncsn", averaged=False)', ABLATION),
    (f"{S}/experiments/ablation.py", '"ncsn_124": Arm("ncsnv2_index"', '"ncsn_124": Arm("ncsnv2"', ABLATION),
    (f"{S}/experiments/ablation.py", "raw=not arm.averaged", "raw=arm.averaged", ABLATION),
    (f"{S}/experiments/ablation.py", "schedule.snapshot_near(share)", "schedule.steps", ABLATION),
    (
        f"{S}/experiments/ablation.py",
        'settings.ncsn if arm.objective == "ncsn" else',
        "settings.ncsn if not arm.averaged else",
        ABLATION,
    ),
    (
        f"{S}/experiments/ablation.py",
        "generator=noise_of_chains(context)",
        'generator=context.generator("chains", share)',
        ABLATION,
    ),
    (f"{S}/experiments/ablation.py", ".square().mean())) / 2\n", ".square().mean()))\n", ABLATION),
    (f"{S}/experiments/ablation.py", "mean((0, 2, 3)) + 1) / 2", "mean((0, 2, 3)) + 1)", ABLATION),
    (
        f"{S}/experiments/ablation.py",
        "sorted({*settings.states, 1.0})",
        "sorted({*settings.states, 1.0}, reverse=True)",
        ABLATION,
    ),
    (f"{S}/experiments/ablation.py", "from_unit(images, 256)", "from_unit(images, 255)", ABLATION),
    (
        f"{S}/experiments/ablation.py",
        "coverage(real, measure.features(images",
        "coverage(measure.training, measure.features(images",
        ABLATION,
    ),
    (
        f"{S}/experiments/ablation.py",
        'row("recall", among.recall, **of_train)',
        'row("recall", among.precision, **of_train)',
        ABLATION,
    ),
    (f"{S}/experiments/sampler_settings.py", "(1 / (count - 1))", "(1 / count)", SETTINGS),
    (f"{S}/experiments/sampler_settings.py", "max(1, round(evaluations / count))", "settings.steps", SETTINGS),
    (
        f"{S}/experiments/sampler_settings.py",
        "best_step_size(ratio, steps, LEAST)",
        "best_step_size(ratio, settings.steps, LEAST)",
        SETTINGS,
    ),
    (f"{S}/experiments/sampler_settings.py", "settings.unstable / chosen.rho)", "settings.unstable)", SETTINGS),
    (f"{S}/experiments/sampler_settings.py", "size * chosen.rho < 2", "size < 2", SETTINGS),
    (f"{S}/experiments/sampler_settings.py", "settings, context, levels=times)", "settings, context)", SETTINGS),
    (f"{S}/experiments/losses.py", "found[k] = MOMENTUM * found[k - 1]", "found[k] = MOMENTUM * losses[k - 1]", LOSSES),
    (
        f"{S}/experiments/losses.py",
        "catalogue.load(settings.data, split, context.seed), many",
        'catalogue.load(settings.data, "train", context.seed), many',
        LOSSES,
    ),
    (f"{S}/experiments/losses.py", ', generator=context.generator("dequantise", split))', ")", LOSSES),
    (f"{S}/experiments/losses.py", "min(settings.images, *(", "max(settings.images, *(", LOSSES),
    (f"{S}/experiments/losses.py", "levels: RefineNetSettings(", "levels: RefineNetV2Settings(", LOSSES),
    (f"{S}/settings.yaml", "levels: [5, 8, 12, 21, 35, 105]", "levels: [5, 8, 12, 21, 42, 105]", LARGE),
    (f"{S}/settings.yaml", "celeba64: {space: inception, scored: 10000}", "celeba64: {scored: 10000}", LARGE),
]
WATCHED = {f"{S}/sampling.py": SAMPLING, f"{S}/experiments/sampler_settings.py": SETTINGS}
