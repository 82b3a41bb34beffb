"""Mistakes to plant in Gotta Go Fast's rivals and experiments."""

G = "replications/gotta_go_fast"
TG = f"tests/{G}"
RIVALS, SHELF = f"{TG}/test_gotta_go_fast_rivals.py", f"{TG}/test_gotta_go_fast_torchsde_adaptive.py"
TOY, EXACT = f"{TG}/test_gotta_go_fast_narrow_mixture.py", f"{TG}/test_gotta_go_fast_exact_toy.py"
LEARNED = f"{TG}/test_gotta_go_fast_learned.py"

MUTANTS = [
    (f"{G}/rivals.py", "evenly(denoised_last(euler_maruyama_sampler), nfe)", "evenly(euler_maruyama_sampler, nfe + 1)", RIVALS),
    (f"{G}/rivals.py", "evenly(denoised_last(ddim_sampler()), nfe)", "evenly(denoised_last(ddim_sampler(0.5)), nfe)", RIVALS),
    (f"{G}/rivals.py", "float(times[-1]), points,", "float(times[-1]), points + 1,", RIVALS),
    (f"{G}/rivals.py", "to_clean(times), **options), nfe // 2)", "times, **options), nfe // 2)", RIVALS),
    (f"{G}/rivals.py", "langevin(snr, alpha=alpha)", "langevin(snr)", RIVALS),
    (f"{G}/torchsde_adaptive.py", "t) * score - self.path", "t) * score + self.path", SHELF),
    (
        f"{G}/torchsde_adaptive.py",
        "drift = self.path.diffusion_squared(t) * score",
        "drift = 0.5 * self.path.diffusion_squared(t) * score",
        SHELF,
    ),
    (f"{G}/torchsde_adaptive.py", "(self._time(s, y)).sqrt() * v", "(self._time(s, y)) * v", SHELF),
    (f"{G}/torchsde_adaptive.py", "self.start - float(s)", "self.start - float(s) ** 2", SHELF),
    (f"{G}/torchsde_adaptive.py", "if state is y and time == float(s):", "if False:", SHELF),
    (f"{G}/torchsde_adaptive.py", "self.score.calls >= self.most", "self.score.calls > self.most", SHELF),
    (f"{G}/narrow_mixture.py", "(alpha * std).square() + ", "std**2 + ", TOY),
    (f"{G}/narrow_mixture.py", "- 0.5 * alpha * means", "- alpha * means", TOY),
    (f"{G}/narrow_mixture.py", "(sigma / alpha) ** 2)) ** 0.5", "(sigma / alpha) ** 2))", TOY),
    (f"{G}/narrow_mixture.py", ".amin(1)", ".mean(1)", TOY),
    (f"{G}/narrow_mixture.py", "low + (high - low) * torch.rand", "high * torch.rand", TOY),
    (f"{G}/costs.py", "int(found.nfe.max()) - 1", "int(found.nfe.max())", EXACT),
    (f"{G}/costs.py", "int(found.nfe.max()) - 1", "int(found.nfe.double().mean()) - 1", EXACT),
    (f"{G}/costs.py", "2 * float(found.rejected", "float(found.rejected", EXACT),
    (f"{G}/experiments/exact_toy.py", "abs(residual - self.toy.exact)", "max(0.0, residual - self.toy.exact)", EXACT),
    (f"{G}/experiments/exact_toy.py", "(high - low) / 256", "2 / 256", EXACT),
    (f"{G}/experiments/exact_toy.py", "np.abs(np.array(residuals) - toy.exact)", "np.array(residuals)", EXACT),
    (
        f"{G}/experiments/exact_toy.py",
        "rival_rows(case, published_nfe(found), **where)",
        "rival_rows(case, settings.full, **where)",
        EXACT,
    ),
    (f"{G}/experiments/exact_toy.py", '{"vp": 0.01, "ve": 0.5}', '{"vp": 0.5, "ve": 0.01}', EXACT),
    (f"{G}/experiments/exact_toy.py", "settings.ablation_tolerance, **ABLATIONS[name])", "settings.ablation_tolerance)", EXACT),
    (f"{G}/experiments/exact_toy.py", "dim=settings.dim, sigma_max=sigma_max)", "dim=settings.dim)", EXACT),
    (
        f"{G}/experiments/exact_toy.py",
        'generator=self.context.generator("noise", device=where)',
        'generator=self.context.generator("noise", self.samples, str(sampler))',
        EXACT,
    ),
    (f"{G}/leftover_noise.py", "directions[:, : max(", "directions[:, -max(", LEARNED),
    (f"{G}/leftover_noise.py", "- self.mean\n", "\n", LEARNED),
    (f"{G}/leftover_noise.py", ".square().mean().sqrt()", ".square().sum(1).mean().sqrt()", LEARNED),
    (f"{G}/model_runs.py", "(high - low) / 256", "2 / 256", LEARNED),
    (f"{G}/model_runs.py", "rescaled(found.x, pixel_range, UNIT)", "found.x", LEARNED),
    (f"{G}/model_runs.py", "/ len(parts)", "/ len(found.x)", LEARNED),
    (f"{G}/model_runs.py", "images.clamp(*UNIT), floor", "images, floor", LEARNED),
    (f"{G}/model_runs.py", "self.quiet.noise(images)", "self.quiet.noise(images.clamp(*UNIT))", LEARNED),
    (f"{G}/model_runs.py", "yardstick.floor(len(noise))", "yardstick.floor(len(self.noise))", LEARNED),
    (f"{G}/model_runs.py", "WEIGHTS if share == 1 else", "WEIGHTS if share else", LEARNED),
    (f"{G}/experiments/learned.py", "nfe = round(found.nfe)", "nfe = settings.full", LEARNED),
    (f"{G}/experiments/learned.py", "nfe=found.nfe + 1, **labels)", "nfe=found.nfe, **labels)", LEARNED),
    (f"{G}/experiments/learned.py", "euler_maruyama(settings.full)", "euler_maruyama(settings.corrected)", LEARNED),
]
WATCHED = {
    f"{G}/rivals.py": RIVALS,
    f"{G}/torchsde_adaptive.py": SHELF,
    f"{G}/narrow_mixture.py": TOY,
    f"{G}/costs.py": EXACT,
    f"{G}/leftover_noise.py": LEARNED,
    f"{G}/model_runs.py": LEARNED,
}
