"""Mistakes to plant in ncsn: file, what stands there, what a slip would make of it, and the tests that should fail."""

S = "replications/ncsn"
TS = f"tests/{S}"

MUTANTS = [
    (f"{S}/instance_norm.py", "gamma * alpha, (mu - m)", "alpha, (mu - m)", f"{TS}/test_instance_norm.py"),
    (f"{S}/instance_norm.py", "keepdim=True)", "keepdim=True, correction=0)", f"{TS}/test_instance_norm.py"),
    (f"{S}/instance_norm.py", "torch.rsqrt(variance + EPS)", "1 / (variance.sqrt() + EPS)", f"{TS}/test_instance_norm.py"),
    (f"{S}/refinenet.py", "self.enter(2 * x - 1)", "self.enter(x)", f"{TS}/test_refinenet.py"),
    (f"{S}/refinenet.py", "align_corners=True", "align_corners=False", f"{TS}/test_refinenet.py"),
    (f"{S}/refinenet.py", "Stage(2, down=True, dilation=4)", "Stage(2, down=True, dilation=2)", f"{TS}/test_refinenet.py"),
    (f"{S}/refinenet.py", "norm(path, level)", "norm(total, level)", f"{TS}/test_refinenet.py"),
    (f"{S}/refinenet.py", "[maps.pop(), *refined]", "[*refined, maps.pop()]", f"{TS}/test_refinenet.py"),
    (
        f"{S}/score_matching.py",
        "return trace + half_square(value)",
        "return -trace + half_square(value)",
        f"{TS}/test_score_matching.py",
    ),
    (
        f"{S}/score_matching.py",
        "return slope + half_square(value)",
        "return slope + 2 * half_square(value)",
        f"{TS}/test_score_matching.py",
    ),
    (f"{S}/score_matching.py", "(tangent * probe).flatten(1)", "tangent.flatten(1)", f"{TS}/test_score_matching.py"),
    (f"{S}/score_matching.py", "+ noise / width)", "+ noise * width)", f"{TS}/test_score_matching.py"),
    (f"{S}/score_matching.py", "sigma**power * loss", "loss", f"{TS}/test_score_matching.py"),
    (f"{S}/annealed_langevin.py", "(2 * drift[t]) ** 0.5", "drift[t] ** 0.5", f"{TS}/test_annealed_langevin.py"),
    (
        f"{S}/annealed_langevin.py",
        '0.5 if convention == "printed" else 1.0',
        '1.0 if convention == "printed" else 0.5',
        f"{TS}/test_annealed_langevin.py",
    ),
    (f"{S}/annealed_langevin.py", "rho * sigma.square()", "rho * sigma", f"{TS}/test_annealed_langevin.py"),
    (f"{S}/annealed_langevin.py", "levels.repeat_interleave(steps)", "levels.repeat(steps)", f"{TS}/test_annealed_langevin.py"),
    (f"{S}/chains.py", "held.logical_or_(x.flatten", "held.logical_and_(x.flatten", f"{TS}/test_chains_and_inpainting.py"),
    (f"{S}/chains.py", "rescaled(part, (0.0, 1.0), low_high)", "part", f"{TS}/test_chains_and_inpainting.py"),
    (
        f"{S}/chains.py",
        "if keep_every and (number + 1) % keep_every == 0",
        "if keep_every and number % keep_every == 0",
        f"{TS}/test_chains_and_inpainting.py",
    ),
    (f"{S}/chains.py", "single.model.noise(x, only)", "single.model.score(x, only)", f"{TS}/test_chains_and_inpainting.py"),
    (f"{S}/inpainting.py", "if number % steps == 0:", "if True:", f"{TS}/test_chains_and_inpainting.py"),
    (f"{S}/inpainting.py", "sigmas[number // steps]", "sigmas[-1]", f"{TS}/test_chains_and_inpainting.py"),
    (f"{S}/inpainting.py", "torch.where(mask, noisy, x)", "torch.where(mask, x, noisy)", f"{TS}/test_chains_and_inpainting.py"),
    (f"{S}/two_modes.py", "[1 - heavy, heavy]", "[heavy, 1 - heavy]", f"{TS}/test_ncsn_toys.py"),
    (f"{S}/experiments/mixture.py", "settings.eps / 2", "settings.eps", f"{TS}/test_ncsn_toys.py"),
    (
        f"{S}/experiments/manifold.py",
        "(settings.dimensions - 1) / (2 * noise**2)",
        "settings.dimensions / (2 * noise**2)",
        f"{TS}/test_ncsn_toys.py",
    ),
    (f"{S}/experiments/manifold.py", "tail.std() / abs(tail.mean())", "tail.std()", f"{TS}/test_ncsn_toys.py"),
    (f"{S}/experiments/score_regions.py", "/ exact.norm(dim=1)", "/ learned.norm(dim=1)", f"{TS}/test_ncsn_toys.py"),
    (
        f"{S}/level_measures.py",
        "half_square(sigma * score + noise)",
        "half_square(sigma * score - noise)",
        f"{TS}/test_ncsn_objectives.py",
    ),
    (f"{S}/level_measures.py", ".mean()) * scale)", ".mean()) / scale)", f"{TS}/test_ncsn_objectives.py"),
    (
        f"{S}/experiments/objectives.py",
        "-network(x, t) / broadcast(sigma, x)",
        "-network(x, t) * broadcast(sigma, x)",
        f"{TS}/test_ncsn_objectives.py",
    ),
    ("common/learning/training/settings.py", "step - share * self.steps", "step - share", f"{TS}/test_ncsn_objectives.py"),
    (f"{S}/sample_measures.py", "step.rho * sigma**2", "step.rho * sigma", f"{TS}/test_ncsn_samples.py"),
    (f"{S}/sample_measures.py", "kept[of_level - 1 :: of_level]", "kept[::of_level]", f"{TS}/test_ncsn_samples.py"),
    (f"{S}/sample_measures.py", "network.model.known_times[-1])", "network.model.known_times[0])", f"{TS}/test_ncsn_samples.py"),
    (f"{S}/experiments/samples.py", "model=at_every_level(single, ladder)", "levels=levels", f"{TS}/test_ncsn_samples.py"),
    (f"{S}/experiments/samples.py", "levels=levels[-1:]", "levels=levels[:1]", f"{TS}/test_ncsn_samples.py"),
    (f"{S}/experiments/inpainting.py", "2 * completed.flatten(2)", "completed.flatten(2)", f"{TS}/test_ncsn_completions.py"),
    (f"{S}/experiments/inpainting.py", "squared = error[..., hole]", "squared = error", f"{TS}/test_ncsn_completions.py"),
    (
        f"{S}/experiments/inpainting.py",
        "truth.repeat_interleave(settings.completions, 0)",
        "truth.repeat(settings.completions, 1, 1, 1)",
        f"{TS}/test_ncsn_completions.py",
    ),
    (f"{S}/networks.py", '"levels": LEVELS if objective == "ncsn" else None', '"levels": LEVELS', f"{TS}/test_ncsn_settings.py"),
    (
        f"{S}/experiments/train_refinenet.py",
        "context.seed_for(settings.data)",
        "context.seed_for(settings.data, settings.objective)",
        f"{TS}/test_ncsn_settings.py",
    ),
]

# files for random mistakes, and the tests that answer for them
WATCHED = {
    f"{S}/score_matching.py": f"{TS}/test_score_matching.py",
    f"{S}/annealed_langevin.py": f"{TS}/test_annealed_langevin.py",
    f"{S}/chains.py": f"{TS}/test_chains_and_inpainting.py",
    f"{S}/inpainting.py": f"{TS}/test_chains_and_inpainting.py",
}
