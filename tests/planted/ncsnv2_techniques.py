"""Mistakes to plant in ncsnv2's techniques: file, what stands there, what a slip would make of it, the tests that should fail."""

S = "replications/ncsnv2"
TS = f"tests/{S}"
DISTANCES, LEVELS = f"{TS}/test_ncsnv2_pairwise_distances.py", f"{TS}/test_ncsnv2_noise_levels.py"
SHARES = f"{TS}/test_ncsnv2_responsibilities.py"
STEPS, RECOMMEND, LADDERS = (f"{TS}/test_ncsnv2_{name}.py" for name in ("step_size", "recommend", "ladders"))

MUTANTS = [
    (f"{S}/pairwise_distances.py", "reach[number] + reach[other] <= largest", "reach[number] <= largest", DISTANCES),
    (f"{S}/pairwise_distances.py", "reach[number] + reach[other] <= largest", "reach[number] < 0", DISTANCES),
    (
        f"{S}/pairwise_distances.py",
        "torch.cat([(_rows(images, block) - mean",
        "torch.cat([(_rows(images, block) + mean",
        DISTANCES,
    ),
    (f"{S}/pairwise_distances.py", "argsort(descending=True)", "argsort()", DISTANCES),
    (
        f"{S}/pairwise_distances.py",
        "divmod(int(between.argmax()), between.shape[1])",
        "divmod(int(between.argmax()), size)",
        DISTANCES,
    ),
    (f"{S}/pairwise_distances.py", "largest = unit * _largest(images)", "largest = _largest(images)", DISTANCES),
    (f"{S}/pairwise_distances.py", "unit * _median(", "_median(", RECOMMEND),
    (f"{S}/pairwise_distances.py", "torch.randint(1, len(images)", "torch.randint(0, len(images)", DISTANCES),
    (f"{S}/pairwise_distances.py", "if count > LARGE else None", "if count >= LARGE else None", DISTANCES),
    (f"{S}/responsibilities.py", "/ (2 * sigma**2)).softmax", "/ sigma**2).softmax", SHARES),
    (f"{S}/responsibilities.py", "/ (8 * sigma**2))", "/ (4 * sigma**2))", SHARES),
    (f"{S}/responsibilities.py", "0.5 * math.exp", "math.exp", SHARES),
    (f"{S}/noise_levels.py", "gammainc(dim / 2", "gammainc((dim - 1) / 2", LEVELS),
    (f"{S}/noise_levels.py", "math.sqrt(2 * dim) * (ratio - 1)", "math.sqrt(dim) * (ratio - 1)", LEVELS),
    (f"{S}/noise_levels.py", "ndtr(SHELL * ratio - shift)", "ndtr(SHELL - shift)", LEVELS),
    (f"{S}/noise_levels.py", "ndtr(-SHELL * ratio - shift)", "ndtr(-SHELL * ratio + shift)", LEVELS),
    (f"{S}/noise_levels.py", "MASS = 0.567", "MASS = 0.5", LEVELS),
    (f"{S}/noise_levels.py", "LEAST_DIMENSIONS = 5", "LEAST_DIMENSIONS = 4", LEVELS),
    (f"{S}/noise_levels.py", "return 1 + math.log(sigma_max", "return math.log(sigma_max", LEVELS),
    (f"{S}/noise_levels.py", "max(2, int(levels_needed", "max(2, round(levels_needed", LEVELS),
    (f"{S}/step_size.py", "kept = (1 - rho) ** (2 * steps)", "kept = (1 - rho) ** steps", STEPS),
    (f"{S}/step_size.py", "(1 - kept) * rho / (2 - rho)", "(1 - kept) * rho / 2", STEPS),
    (f"{S}/step_size.py", "(ratio - 1) * (ratio + 1)", "(ratio - 1)", STEPS),
    (f"{S}/step_size.py", "return 2 * sigma_min**2", "return sigma_min**2", STEPS),
    (f"{S}/step_size.py", "rho * sigma_min**2, rho", "rho * sigma_min, rho", STEPS),
    (f"{S}/step_size.py", "REFINEMENTS = 1001, 3", "REFINEMENTS = 1001, 0", STEPS),
    (f"{S}/step_size.py", "FEWEST, MOST = 3000, 3, 5", "FEWEST, MOST = 3000, 1, 5", STEPS),
    (f"{S}/published.py", "1 / (self.levels - 1)", "1 / self.levels", LEVELS),
    (f"{S}/published.py", "return self.eps / self.sigma_min**2", "return self.eps / self.sigma_min", STEPS),
    (f"{S}/own_images.py", "1 / (high - low)", "1.0", RECOMMEND),
    (f"{S}/own_images.py", "1 / values, f", "1 / (values - 1), f", RECOMMEND),
    (f"{S}/own_images.py", "pixels[number] = found", "pixels[0] = found", RECOMMEND),
    (f"{S}/own_images.py", 'convert("L" if grey else "RGB")', 'convert("RGB")', RECOMMEND),
    (f"{S}/own_images.py", 'mmap_mode="c", allow_pickle=False', 'mmap_mode="c", allow_pickle=True', RECOMMEND),
    (f"{S}/own_images.py", "low - ROUNDING <= least and most", "most", RECOMMEND),
    (f"{S}/recommendation.py", "levels[0] / levels[1]", "levels[1] / levels[0]", RECOMMEND),
    (f"{S}/recommendation.py", "count * steps + 1", "count * steps", RECOMMEND),
    (f"{S}/recommend.py", "responsibility_bound(found.median_distance, narrow)", "responsibility_bound(narrow, 1)", RECOMMEND),
    (f"{S}/facts/norm_facts.py", "SPREAD = math.sqrt(0.5)", "SPREAD = 0.5", LADDERS),
    (f"{S}/facts/norm_facts.py", "math.sqrt(settings.draws) * ks(", "ks(2 * ", LADDERS),
    (f"{S}/facts/norm_facts.py", "(below - steps[:-1]).max()", "(below - steps[1:]).max()", LADDERS),
    (f"{S}/facts/step_facts.py", "(1 - rho) ** 2 * variance + 2 * rho", "(1 - rho) ** 2 * variance + rho", LADDERS),
    (f"{S}/facts/step_facts.py", "[level - 1 : level + 1]", "[level : level + 2]", LADDERS),
    (f"{S}/facts/step_facts.py", "path.sigma(before) * torch", "path.sigma(now) * torch", LADDERS),
    (f"{S}/facts/step_facts.py", "((end - point) /", "(end /", LADDERS),
    (f"{S}/facts/ladder_facts.py", "levels_needed(RANGE, 1.0,", "levels_needed(RANGE, 10.0,", LADDERS),
]

# files for random mistakes, and the tests that answer for them
WATCHED = {
    f"{S}/noise_levels.py": LEVELS,
    f"{S}/step_size.py": STEPS,
    f"{S}/pairwise_distances.py": DISTANCES,
}
