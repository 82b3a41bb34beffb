"""Mistakes to plant in flow_matching: file, what stands there, what a slip would make of it, and the tests that should fail."""

F = "replications/flow_matching"
TF = f"tests/{F}"

MUTANTS = [
    (f"{F}/conditional_flow_matching.py", "sigma_dot / sigma * (x - alpha * x0)", "sigma_dot / sigma * (x + alpha * x0)", TF),
    (f"{F}/path_geometry.py", "(states[0] - states[-1]) / span", "(states[-1] - states[0]) / span", TF),
    (f"{F}/upsampling.py", "torch.log10(4 /", "torch.log10(1 /", TF),
    (f"{F}/sampling.py", "denoiser.path.prior_std * part", "part", f"{TF}/test_measurements.py"),
    (f"{F}/image_likelihood.py", "found.draws[first : first + k]", "found.draws[:k]", f"{TF}/test_measurements.py"),
    (f"{F}/image_likelihood.py", ".reshape(draws - 1, bound)", ".reshape(bound, draws - 1).T", f"{TF}/test_measurements.py"),
    (f"{F}/image_likelihood.py", "test.grey_values, generator=dequantise", "test.grey_values", f"{TF}/test_measurements.py"),
    (f"{F}/image_likelihood.py", "bits[a].bound[k] - bits", "bits[a].bound[k] + bits", f"{TF}/test_measurements.py"),
    (f"{F}/experiments/toy_2d.py", "nll = -solved.log_density", "nll = solved.log_density", f"{TF}/test_measurements.py"),
    (f"{F}/experiments/theorems.py", "rate + carried + divergence).abs()", "rate + carried).abs()", f"{TF}/test_exact.py"),
    (f"{F}/board.py", "path.sigma(time) / path.alpha(time)", "path.sigma(time)", f"{TF}/test_exact.py"),
    (f"{F}/path_geometry.py", "> 1 + TOO_FAR", "> 1 - TOO_FAR", f"{TF}/test_exact.py"),
    (f"{F}/experiments/during_training.py", "if step <= settings", "if step < settings", f"{TF}/test_exact.py"),
    (f"{F}/claims.py", 'NFE.ratio("fm_ot", "fm_vp")', 'NFE.ratio("fm_vp", "fm_ot")', f"{TF}/test_flow_matching_claims.py"),
    (f"{F}/claims.py", 'difference(RIVALS, "fm_ot")', 'difference("fm_ot", RIVALS)', f"{TF}/test_flow_matching_claims.py"),
    (f"{F}/claims.py", "-z.min(axis=1)", "z.min(axis=1)", f"{TF}/test_flow_matching_claims.py"),
    (f"{F}/claims.py", 'metrics["at"] <= FEW', 'metrics["at"] >= FEW', f"{TF}/test_flow_matching_claims.py"),
    (
        f"{F}/claims.py",
        'BOARD_NLL.difference("scoreflow_vp", "fm_vp")',
        'BOARD_NLL.difference("fm_vp", "scoreflow_vp")',
        f"{TF}/test_flow_matching_claims.py",
    ),
    (
        f"{F}/claims.py",
        'metric="straightness").ratio("fm_ot", "fm_vp")',
        'metric="straightness").ratio("fm_vp", "fm_ot")',
        f"{TF}/test_flow_matching_claims.py",
    ),
    (f"{F}/claims.py", 'DIRECTION.value("fm_vp")', 'DIRECTION.value("fm_ot")', f"{TF}/test_flow_matching_claims.py"),
    (f"{F}/claims.py", "for nfe in (4, 8))", "for nfe in (4,))", f"{TF}/test_flow_matching_claims.py"),
    (f"{F}/claims_training.py", ".iloc[:, 1:]\n    return later", "\n    return later", f"{TF}/test_flow_matching_claims.py"),
    (f"{F}/claims_training.py", "distance.shift(axis=1)", "distance.shift(-1, axis=1)", f"{TF}/test_flow_matching_claims.py"),
]

# files for random mistakes, and the tests that answer for them
WATCHED = {
    f"{F}/conditional_flow_matching.py": TF,
    f"{F}/path_geometry.py": TF,
    f"{F}/board.py": f"{TF}/test_exact.py",
    f"{F}/image_likelihood.py": f"{TF}/test_measurements.py",
    f"{F}/upsampling.py": TF,
}
