"""Mistakes to plant in score_sde: file, what stands there, what a slip would make of it, and the tests that should fail."""

S = "replications/score_sde"
TS = f"tests/{S}"
DISCRETISATION, LEVELS = f"{S}/discretisation.py", "common/dynamics/ddpm_levels.py"
OF_DISCRETISATION, OF_PREDICTORS = f"{TS}/test_score_sde_discretisation.py", f"{TS}/test_score_sde_predictors.py"
PREDICTORS, CORRECTORS, OF_CORRECTORS = f"{S}/predictors.py", f"{S}/correctors.py", f"{TS}/test_score_sde_correctors.py"
LOOP, OF_LOOP = f"{S}/predictor_corrector.py", f"{TS}/test_score_sde_predictor_corrector.py"
CONDITIONAL, OF_CONDITIONAL = f"{S}/conditional.py", f"{TS}/test_score_sde_conditional.py"
FLOW, OF_FLOW = f"{S}/probability_flow.py", f"{TS}/test_score_sde_probability_flow.py"
INVERSE, OF_INVERSE = f"{S}/inverse_problems.py", f"{TS}/test_score_sde_inverse_problems.py"
TOY, FORWARD, MARGINALS = f"{S}/facts/toy_mixture.py", f"{S}/facts/forward_facts.py", f"{S}/facts/marginal_facts.py"
CHAIN_FACTS, LIKELIHOODS, OF_FACTS = (
    f"{S}/facts/chain_facts.py",
    f"{S}/facts/likelihood_facts.py",
    f"{TS}/test_score_sde_sde_facts.py",
)
SAMPLING, SAMPLERS = f"{S}/facts/exact_sampling.py", f"{S}/experiments/exact_samplers.py"
OF_SAMPLERS = f"{TS}/test_score_sde_exact_samplers.py"
LEARNED, LEARNED_SAMPLERS = f"{S}/images/learned_sampling.py", f"{S}/experiments/learned_samplers.py"
OF_LEARNED, OF_FIGURES = f"{TS}/test_score_sde_learned_samplers.py", f"{TS}/test_score_sde_sampler_figures.py"
SAMPLER_FIGURES = f"{S}/figures_samplers.py"
CLASSIFIER, WIDE, OF_CLASSIFIER = (
    f"{S}/control/noise_conditional_classifier.py",
    f"{S}/control/wide_resnet.py",
    f"{TS}/test_score_sde_noise_classifier.py",
)
CLASSES, COMPLETIONS, CASES = f"{S}/control/class_samples.py", f"{S}/control/completions.py", f"{S}/control/completion_cases.py"
OF_CONTROLLABLE, TILES = f"{TS}/test_score_sde_controllable.py", "common/learning/data/patches.py"
OF_TILES = "tests/common/learning/data/test_patches.py"

MUTANTS = [
    # chains
    (DISCRETISATION, "path.sigma(ends).masked_fill(clean, 0.0)", "path.sigma(ends)", OF_DISCRETISATION),
    (DISCRETISATION, "path.alpha(ends).masked_fill(clean, 1.0)", "path.alpha(ends)", OF_DISCRETISATION),
    (DISCRETISATION, "(scale * sigma_next).square()", "sigma_next.square()", OF_DISCRETISATION),
    (DISCRETISATION, "(1 - beta).sqrt(), beta", "1 - beta / 2, beta", OF_DISCRETISATION),
    (DISCRETISATION, "beta = -2 * path.drift_coefficient", "beta = -path.drift_coefficient", OF_DISCRETISATION),
    (DISCRETISATION, "masked_fill(clean, 1 / len(starts))", "masked_fill(clean, 0.0)", OF_DISCRETISATION),
    (DISCRETISATION, '"sub_vp": forward_euler', '"sub_vp": ddpm', OF_DISCRETISATION),
    (DISCRETISATION, "(sigma_next / sigma)", "(sigma_next / sigma).square()", OF_DISCRETISATION),
    (DISCRETISATION, "kernel.scale**2 * variances[-1]", "kernel.scale * variances[-1]", OF_DISCRETISATION),
    (DISCRETISATION, "clean[:-1].any()", "clean[:-1].all()", OF_DISCRETISATION),
    (DISCRETISATION, "variance**0.5 * noise(x), scale * x", "variance * noise(x), scale * x", OF_DISCRETISATION),
    (
        LEVELS,
        "dtype=torch.float64) / count\n\n\ndef ddpm_path",
        "dtype=torch.float64) / (count - 1)\n\n\ndef ddpm_path",
        OF_DISCRETISATION,
    ),
    (
        LEVELS,
        "torch.log1p(-ddpm_betas(count, beta_min, beta_max))",
        "-ddpm_betas(count, beta_min, beta_max)",
        OF_DISCRETISATION,
    ),
    (LEVELS, "t * count - 1e-4", "t * count", OF_DISCRETISATION),
    (LEVELS, "return 0.5 * slope * torch.exp(0.5 * value)", "return slope * torch.exp(0.5 * value)", OF_DISCRETISATION),
    (LEVELS, "return -0.5 * slope * torch.exp(value)", "return -0.5 * slope * torch.exp(0.5 * value)", OF_DISCRETISATION),
    # predictors
    (
        PREDICTORS,
        "Coefficients(2 - kernel.scale, kernel.variance, ",
        "Coefficients(1 / kernel.scale, kernel.variance, ",
        OF_PREDICTORS,
    ),
    (PREDICTORS, "0.5 * kernel.variance, 0.0", "kernel.variance, 0.0", OF_PREDICTORS),
    (PREDICTORS, "kernel.variance / kernel.scale", "kernel.variance", OF_PREDICTORS),
    (PREDICTORS, "noise=kernel.variance**0.5 * kernel.ratio", "noise=kernel.variance**0.5", OF_PREDICTORS),
    (PREDICTORS, 'if path.name == "ve" else', 'if path.name != "vp" else', OF_PREDICTORS),
    (PREDICTORS, "mean + std * noise(x) if std", "mean - std * noise(x) if std", OF_PREDICTORS),
    (PREDICTORS, "t - width if t_next == t", "t_next if t_next == t", OF_PREDICTORS),
    (PREDICTORS, 'not in ("ve", "vp", "ddpm")', 'not in ("ve", "vp", "ddpm", "sub_vp")', OF_PREDICTORS),
    # correctors
    (CORRECTORS, "eps = 2 * factor[t] * (snr * of_noise", "eps = factor[t] * (snr * of_noise", OF_CORRECTORS),
    (CORRECTORS, "of_noise / batch_norm(score)) ** 2", "of_noise / batch_norm(score))", OF_CORRECTORS),
    (CORRECTORS, "x.flatten(1).norm(dim=1).mean()", "x.norm() / len(x) ** 0.5", OF_CORRECTORS),
    (CORRECTORS, "(2 * eps).sqrt() * z", "eps.sqrt() * z", OF_CORRECTORS),
    (CORRECTORS, "(2 * eps) ** 0.5 * noise(x)", "eps**0.5 * noise(x)", OF_CORRECTORS),
    (CORRECTORS, "x[0].numel() ** 0.5", "x.numel() ** 0.5", OF_CORRECTORS),
    (CORRECTORS, "(snr * sigma[t]) ** 2", "snr * sigma[t] ** 2", OF_CORRECTORS),
    (CORRECTORS, "kernel.scale**2 for t", "kernel.scale for t", OF_CORRECTORS),
    (CORRECTORS, "path.alpha(t).square())", "path.alpha(t))", OF_CORRECTORS),
    # the loop
    (LOOP, 'if order == "coded":', 'if order == "printed":', OF_LOOP),
    (LOOP, 'order == "printed" and t_next != t', 'order == "printed"', OF_LOOP),
    (LOOP, "x, mean = correct(model, x, t_next, t_next, noise)", "x, mean = correct(model, x, t, t, noise)", OF_LOOP),
    (LOOP, "last_mean=True", "last_mean=False", OF_LOOP),
    (LOOP, '"both" if order == "printed"', '"starts" if order == "printed"', OF_LOOP),
    (LOOP, "(self.predicts + self.correctors)", "(1 + self.correctors)", OF_LOOP),
    (LOOP, "known[level_of(known, time)]", "known[(level_of(known, time) + 1).clamp(max=len(known) - 1)]", OF_LOOP),
    (LOOP, "model.prediction, model.predict)", "model.prediction, model.predict, known)", OF_LOOP),
    (LOOP, "torch.cat([levels, levels[-1:]])", "torch.cat([levels, 0 * levels[-1:]])", OF_DISCRETISATION),
    # conditions
    (CONDITIONAL, "alpha[t] * known.values\n", "alpha[t_next] * known.values\n", OF_CONDITIONAL),
    (CONDITIONAL, "kernel_mean + sigma[t] * noise(x)", "kernel_mean + sigma[t_next] * noise(x)", OF_CONDITIONAL),
    (CONDITIONAL, "known.put(of_mean, mean)", "known.put(of_mean, x)", OF_CONDITIONAL),
    (CONDITIONAL, "known.values if t_next == t else kernel_mean", "kernel_mean", OF_CONDITIONAL),
    (CONDITIONAL, 'torch.einsum("bk...,ck->bc...", y', 'torch.einsum("bk...,kc->bc...", y', OF_CONDITIONAL),
    (CONDITIONAL, "columns / columns.norm(dim=0)", "columns / columns.norm(dim=1, keepdim=True)", OF_CONDITIONAL),
    (CONDITIONAL, "3**0.5 * grey", "3 * grey", OF_CONDITIONAL),
    (CONDITIONAL, "torch.where(self.mask, values, self.into(x))", "torch.where(self.mask, values, x)", OF_CONDITIONAL),
    (CONDITIONAL, "logits.log_softmax(1)", "logits", OF_CONDITIONAL),
    (CONDITIONAL, "return weight * found", "return found", OF_CONDITIONAL),
    # the flow, and inverse problems
    (FLOW, "_ends(model, t_min).flip(0))", "_ends(model, t_min))", OF_FLOW),
    (FLOW, "denoised_last(solve) if denoised else solve", "solve", OF_FLOW),
    (FLOW, "a.norm(dim=1) * b.norm(dim=1)", "a.norm() * b.norm()", OF_FLOW),
    (FLOW, "(weight * angle).sin()", "weight * angle.sin()", OF_FLOW),
    (FLOW, "return temperature * latents", "return temperature**0.5 * latents", OF_FLOW),
    (INVERSE, "sigma.square() * (1 + values)", "sigma.square() * values", OF_INVERSE),
    (INVERSE, "(alpha * std).square()", "std**2", OF_INVERSE),
    (INVERSE, "alpha * seen + sigma", "seen + sigma", OF_INVERSE),
    (INVERSE, "y @ vectors  #", "y @ vectors.T  #", OF_INVERSE),
    # facts without networks
    (TOY, ".max()) + 1", ".max())", OF_FACTS),
    (TOY, "means - weights @ means", "means - means.mean(0)", OF_FACTS),
    (FORWARD, "path.sigma(t).square() - (scale", "path.sigma(t).square() + (scale", OF_FACTS),
    (FORWARD, "mean - scale * x0", "mean - x0", OF_FACTS),
    (FORWARD, "(gap / exact).max()", "gap.max()", OF_FACTS),
    (FORWARD, "torch.stack(ratios).max()", "torch.stack(ratios).mean()", OF_FACTS),
    (FORWARD, "path.alpha(t).square() * start", "path.alpha(t) * start", OF_FACTS),
    (FORWARD, "values.flip(0)[::EVERY].flip(0)", "values[::EVERY]", OF_FACTS),
    (
        MARGINALS,
        "if step + 1 in wanted:\n            found[step + 1] = x",
        "if step in wanted:\n            found[step] = x",
        OF_FACTS,
    ),
    (
        MARGINALS,
        "model.sample(samples, generator=generator), t, noise",
        "model.sample(samples, generator=generator), 0 * t, noise",
        OF_FACTS,
    ),
    (CHAIN_FACTS, "(of_x - of_score / wanted)", "(of_x + of_score / wanted)", OF_FACTS),
    (CHAIN_FACTS, "* variance + noise**2", "* variance + noise", OF_FACTS),
    (CHAIN_FACTS, "betas[i] / (1 - products[i]).sqrt()", "betas[i] / (1 - products[i])", OF_FACTS),
    (CHAIN_FACTS, "ncsn_sampler(2 * SNR**2)", "ncsn_sampler(SNR**2)", OF_FACTS),
    (LIKELIHOODS, "reshape(len(errors), -1, count).mean(2)", "reshape(len(errors), count, -1).mean(2)", OF_FACTS),
    (LIKELIHOODS, "groups.square().mean().sqrt()", "groups.abs().mean()", OF_FACTS),
    (LIKELIHOODS, "- exact[:, None]\n        labels", "- 0 * exact[:, None]\n        labels", OF_FACTS),
    (LIKELIHOODS, "reshape(len(x), solves) - exact", "reshape(len(x), solves) - 0 * exact", OF_FACTS),
    (LIKELIHOODS, "path.prior_log_density(found.latent) -", "0 *", OF_FACTS),
    # samplers on a mixture
    (CORRECTORS, "times[:-1:gap]", "times[::gap]", OF_SAMPLERS),
    (SAMPLING, "self.corrector.alone if predictor == NONE", "self.corrector.alone if predictor != NONE", OF_SAMPLERS),
    (SAMPLING, "own if snr is None else snr", "own", OF_SAMPLERS),
    (SAMPLING, "alpha=self.corrector.alpha", 'alpha="one"', OF_SAMPLERS),
    (SAMPLING, 'context.generator("starts")', 'context.generator("starts", sde)', OF_SAMPLERS),
    (SAMPLERS, "evaluations * (1 - share)", "evaluations", OF_SAMPLERS),
    (SAMPLERS, "evaluations // 2, 2)", "evaluations, 2)", OF_SAMPLERS),
    (SAMPLERS, ".variance ** 0.5", ".variance", OF_SAMPLERS),
    (SAMPLERS, "noisy, **labels", "clean, **labels", OF_SAMPLERS),
    (SAMPLERS, "if predictor == NONE and not snr", "if not snr", OF_SAMPLERS),
    (SAMPLERS, "case.model.path.sigma(ends[1:])", "case.model.path.sigma(ends[:1])", OF_SAMPLERS),
    # samplers on trained models
    (LEARNED, "if step == count - 1", "if step == count - 2", OF_LEARNED),
    (LEARNED, "self.corrector.snr[predictor]", "self.corrector.snr[NONE]", OF_LEARNED),
    (LEARNED, "self.times(count)[:-1])", "self.times(2 * count)[:-1])", OF_LEARNED),
    (LEARNED, "self.model.denoised(part, self.t_min)", "part", OF_LEARNED),
    (LEARNED, "found.nfe + 1)", "found.nfe)", OF_LEARNED),
    (LEARNED, "(path.alpha(times).square() + path", "(1 + path", OF_LEARNED),
    (LEARNED, "path.prior_std * case.noise[:starts]", "case.noise[:starts]", OF_LEARNED),
    (LEARNED_SAMPLERS, ".variance ** 0.5", ".variance", OF_LEARNED),
    (LEARNED_SAMPLERS, '"frechet_undenoised", found.noisy', '"frechet_undenoised", found.x', OF_LEARNED),
    (LEARNED_SAMPLERS, "settings.evaluations // 2, 2)", "settings.evaluations, 2)", OF_LEARNED),
    (LEARNED_SAMPLERS, "sigma(case.ends[-1])", "sigma(case.ends[0])", OF_LEARNED),
    (LEARNED_SAMPLERS, 'if column == "P2 rounded" else None', "if column else None", OF_LEARNED),
    (LEARNED_SAMPLERS, "corrector=settings.shared[name]", "corrector=corrector", OF_LEARNED),
    (SAMPLER_FIGURES, "(rows.variant == variant) & (rows.metric == metric)].value", "(rows.metric == metric)].value", OF_FIGURES),
    (SAMPLER_FIGURES, '_pictures_{how}"][start]', '_pictures_{how}"][0]', OF_FIGURES),
    # classes, holes and colours
    (CLASSIFIER, "(DATA_STD * alpha).square()", "(DATA_STD * alpha)", OF_CLASSIFIER),
    (CLASSIFIER, "sigma.log().to(dtype)", "sigma.to(dtype)", OF_CLASSIFIER),
    (CLASSIFIER, "labels[chosen])", "labels[chosen.flip(0)])", OF_CLASSIFIER),
    (CLASSIFIER, "t = draw_times(path, len(x0), **drawn)", "t = 0 * draw_times(path, len(x0), **drawn)", OF_CLASSIFIER),
    (CLASSIFIER, "torch.full((len(x0),), t,", "torch.full((len(x0),), t / 2,", OF_CLASSIFIER),
    (CLASSIFIER, "depth % 6 != 4", "depth % 2 != 0", OF_CLASSIFIER),
    (WIDE, "range((depth - 4) // 6)", "range(depth // 6 + 1)", OF_CLASSIFIER),
    (WIDE, "(32 * width, 2), (64 * width, 2)", "(32 * width, 2), (64 * width, 1)", OF_CLASSIFIER),
    (WIDE, "shortcut = h if self.first else x", "shortcut = x", OF_CLASSIFIER),
    (WIDE, "+ self.told(F.silu(told))[:, :, None, None]", "", OF_CLASSIFIER),
    (WIDE, "x - x.mean((1, 2, 3), keepdim=True)", "x - x.mean()", OF_CLASSIFIER),
    (WIDE, "std.clamp(min=prod(x.shape[1:]) ** -0.5)", "std", OF_CLASSIFIER),
    (CLASSES, "starts.split(batch), classes.split(batch)", "starts.split(batch), classes.flip(0).split(batch)", OF_CONTROLLABLE),
    (CLASSES, "if weight else model", "if weight else Guided(model, class_gradient(classifier, wanted))", OF_CONTROLLABLE),
    (CLASSES, 'torch.linspace(EPS["ve"], 1, sigmas', "torch.linspace(0.1, 1, sigmas", OF_CONTROLLABLE),
    (
        COMPLETIONS,
        "known.values.repeat_interleave(draws, 0)\n    parts",
        "known.values.repeat(draws, *[1] * (known.values.ndim - 1))\n    parts",
        OF_CONTROLLABLE,
    ),
    (COMPLETIONS, "correctors=correctors)", "correctors=1)", OF_CONTROLLABLE),
    (COMPLETIONS, "told = known.into(x)\n", "told = x\n", OF_CONTROLLABLE),
    (COMPLETIONS, "~known.mask.expand(told.shape[1:])", "known.mask.expand(told.shape[1:])", OF_CONTROLLABLE),
    (COMPLETIONS, "2 * of_draws.var(1)", "of_draws.var(1)", OF_CONTROLLABLE),
    (COMPLETIONS, "of_draws.mean(1) - original", "of_draws[:, 0] - original", OF_CONTROLLABLE),
    (COMPLETIONS, " + other.var(0, correction=0)\n", "\n", OF_CONTROLLABLE),
    (CASES, "movedim(1, -1)", "movedim(1, 2)", OF_CONTROLLABLE),
    (CASES, "torch.zeros(like.shape[1:], dtype=torch.bool", "torch.ones(like.shape[1:], dtype=torch.bool", OF_CONTROLLABLE),
    (TILES, "windows = tiles[order[start:end]]", "windows = tiles[start:end]", OF_TILES),
    (TILES, "unfold(2, 8, 4).unfold(3, 8, 4)", "unfold(3, 8, 4).unfold(2, 8, 4)", OF_TILES),
]

# files for random mistakes, and the tests that answer for them
WATCHED = {
    DISCRETISATION: OF_DISCRETISATION,
    LEVELS: OF_DISCRETISATION,
    PREDICTORS: OF_PREDICTORS,
    CORRECTORS: OF_CORRECTORS,
    LOOP: OF_LOOP,
    CONDITIONAL: OF_CONDITIONAL,
    FLOW: OF_FLOW,
    INVERSE: OF_INVERSE,
    **dict.fromkeys((TOY, FORWARD, MARGINALS, CHAIN_FACTS, LIKELIHOODS), OF_FACTS),
    **dict.fromkeys((SAMPLING, SAMPLERS), OF_SAMPLERS),
    **dict.fromkeys((LEARNED, LEARNED_SAMPLERS), OF_LEARNED),
    **dict.fromkeys((CLASSIFIER, WIDE), OF_CLASSIFIER),
    **dict.fromkeys((CLASSES, COMPLETIONS, CASES), OF_CONTROLLABLE),
}
