"""Mistakes to plant in what NCSNv2 samples with exact scores and along paths of noise."""

S = "replications/ncsnv2"
TS = f"tests/{S}"
CHAINS, BOUND = f"{TS}/test_ncsnv2_exact_chains.py", f"{TS}/test_ncsnv2_responsibilities.py"
SCORES, PATHS = f"{TS}/test_ncsnv2_exact_scores.py", f"{TS}/test_ncsnv2_interpolation.py"
NOISE = "common/dynamics/samplers/noise.py"

MUTANTS = [
    (NOISE, "return source.normal(x)", "return torch.randn_like(x)", "tests/common/dynamics/samplers/test_noise.py"),
    (
        "common/dynamics/oracles.py",
        "x.to(self.dtype).flatten(1), self.data.to(x.device, self.dtype)",
        "x.double().flatten(1), self.data.to(x.device, torch.float64)",
        "tests/common/dynamics/test_oracles.py",
    ),
    (f"{S}/exact_chains.py", "(1 / (levels - 1))", "(1 / levels)", CHAINS),
    (f"{S}/exact_chains.py", "sigma_min, dim, mass), steps)", "sigma_min, dim, mass / 2), steps)", CHAINS),
    (f"{S}/exact_chains.py", "(-1.0, 1.0), (0.0, 1.0))", "(0.0, 1.0), (0.0, 1.0))", CHAINS),
    (f"{S}/exact_chains.py", "drawn.repeat(self.groups,", "drawn.repeat_interleave(self.groups, 0).repeat(1,", CHAINS),
    (f"{S}/exact_chains.py", "self.levels * self.steps", "self.levels + self.steps", CHAINS),
    (f"{S}/exact_chains.py", "dtype=dtype)\n    noise", "dtype=torch.float64)\n    noise", CHAINS),
    (f"{S}/coverage.py", "(len(x) * (len(x) - 1))", "len(x) ** 2", CHAINS),
    (f"{S}/coverage.py", "(1 - 1 / centres) ** len(found)", "(1 - 1 / centres) ** centres", CHAINS),
    (f"{S}/coverage.py", ".abs().sum()) / 2", ".abs().sum())", CHAINS),
    (f"{S}/coverage.py", "centres.labels[found]", "centres.labels[: len(found)]", CHAINS),
    (f"{S}/coverage.py", "chosen + sigma * torch.randn", "chosen + torch.randn", CHAINS),
    (f"{S}/responsibilities.py", "distance**2 / (8 * sigma**2)", "distance**2 / (4 * sigma**2)", BOUND),
    (f"{S}/responsibilities.py", "sum(-1) / (8 * sigma**2)", "sum(-1) / (4 * sigma**2)", BOUND),
    (f"{S}/responsibilities.py", "log_i - log_q + log_j", "log_i + log_j", BOUND),
    (f"{S}/responsibilities.py", "torch.logaddexp(log_i, log_j) if alone else", "", BOUND),
    (f"{S}/responsibilities.py", "values.std(1) / len(noise) ** 0.5", "values.std(1) / len(noise)", BOUND),
    (f"{S}/responsibilities.py", "noise.square().sum(-1) / 2", "noise.square().sum(-1)", BOUND),
    (f"{S}/experiments/exact_scores.py", "median * CIFAR10", "widest * CIFAR10", SCORES),
    (f"{S}/experiments/exact_scores.py", "settings.largest or between.largest", "between.largest", SCORES),
    (f"{S}/experiments/exact_scores.py", "settings.budget // levels", "settings.steps", SCORES),
    (f"{S}/experiments/exact_scores.py", '"at": sigma / median', '"at": sigma / widest', SCORES),
    (f"{S}/experiments/exact_scores.py", "found.ratio.argmax()", "found.ratio.argmin()", SCORES),
    (f"{S}/experiments/resolution.py", "finest.images.shape[-1] // side", "side", SCORES),
    (f"{S}/experiments/resolution.py", "chosen.nfe / fixed.levels", "chosen.nfe", SCORES),
    (f"{S}/experiments/resolution.py", "own % side", "side % own", SCORES),
    (f"{S}/noise_interpolation.py", "sines.flip(0), sines", "1 - sines, sines", PATHS),
    (f"{S}/noise_interpolation.py", "sines.flip(0), sines", "sines, sines.flip(0)", PATHS),
    (f"{S}/noise_interpolation.py", "(len(x) // angles, 1, *x.shape[1:])", "(len(x) // angles, angles, *x.shape[1:])", PATHS),
    (f"{S}/noise_interpolation.py", "(1 - share) * first[:, None] + share", "share * first[:, None] + (1 - share)", PATHS),
    (f"{S}/noise_interpolation.py", "path[:, ::stride]", "path[:, :: stride + 1]", PATHS),
    (f"{S}/experiments/interpolation.py", "part.repeat_interleave(points, 0)", "part.repeat(points, 1, 1, 1)", PATHS),
    (f"{S}/experiments/interpolation.py", "denoised_last(annealed_langevin(", "(annealed_langevin(", PATHS),
    (f"{S}/experiments/interpolation.py", "steps.amax(1).mean()", "steps.mean(0).amax()", PATHS),
    (f"{S}/experiments/interpolation.py", "zip((0, -1), alone)", "zip((0, 0), alone)", PATHS),
    (
        f"{S}/experiments/interpolation.py",
        "network.pixel_range).clamp(-1, 1)",
        "network.pixel_range)",
        PATHS,
    ),
    (f"{S}/experiments/interpolation.py", "away.max()", "away.min()", PATHS),
    (f"{S}/experiments/interpolation.py", "90 * stride / (points - 1)", "90 * stride / points", PATHS),
]

# files for random mistakes, and the tests that answer for them
WATCHED = {
    f"{S}/exact_chains.py": CHAINS,
    f"{S}/coverage.py": CHAINS,
    f"{S}/responsibilities.py": BOUND,
    f"{S}/noise_interpolation.py": PATHS,
}
