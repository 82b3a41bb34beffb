"""Plant small mistakes one at a time and see which test notices: `make mutants`.

Each line is a file, what stands there, what a slip would make of it, and the tests that should fail. A mutant that survives is a test
that is missing. By hand: a minute for ten, on two cores. `python tests/mutants.py WORD` runs those whose line has the word;
`python tests/mutants.py --random 40 7` turns round operators and constants at random places of the files below instead (7: which
sample), which shows what nobody thought of. Some of these change nothing that matters: look at the survivors.
"""

import ast
import os
import random
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 240  # a mutant that hangs is noticed too
D, L, M, R = "common/dynamics", "common/learning", "common/measure", "common/runs"
F, N, S = "replications/flow_matching", "replications/neural_ode", "replications/ncsn"
J = "replications/ffjord"
TD, TL, TM, TR = (f"tests/{room}" for room in (D, L, M, R))
TF, TN, TS, TJ = f"tests/{F}", f"tests/{N}", f"tests/{S}", f"tests/{J}"

MUTANTS = [
    # paths, answers, denoiser, oracles
    (f"{D}/paths.py", "2 * sigma * (self.sigma_dot(t)", "sigma * (self.sigma_dot(t)", f"{TD}/test_paths.py"),
    (f"{D}/paths.py", "-0.5 * (flat / self.prior_std)", "-0.5 * (flat)", f"{TD}/test_paths.py"),
    (f"{D}/paths.py", "beta_min * t + 0.5 * slope", "beta_min * t + slope", f"{TD}/test_paths.py"),
    (
        f"{D}/paths.py",
        "return 0.5 * beta(t) * torch.exp(-integral(t)) / sigma(t)",
        "return beta(t) * torch.exp(-integral(t)) / sigma(t)",
        f"{TD}/test_paths.py",
    ),
    (f"{D}/paths.py", "else 1 / count", "else 0.0", f"{TD}/test_paths.py"),
    (
        f"{D}/answers.py",
        "determinant = alpha * q1 - sigma * q0",
        "determinant = alpha * q1 + sigma * q0",
        f"{TD}/test_answers.py",
    ),
    (
        f"{D}/answers.py",
        "self.model.score(x, t) + self.gradient",
        "self.model.score(x, t) - self.gradient",
        f"{TD}/test_answers.py",
    ),
    (f"{D}/answers.py", "<= SAME_TIME", "<= 1.0", f"{TD}/test_answers.py"),
    (f"{D}/denoiser.py", "return 999 * t", "return 1000 * t", f"{TD}/test_denoiser.py"),
    (f"{D}/denoiser.py", "* self.conditioning.data_std).square()", ").square()", f"{TD}/test_denoiser.py"),
    (f"{D}/denoiser.py", "self.path.sigma(t).log()", "self.path.sigma(t)", f"{TD}/test_denoiser.py"),
    (f"{D}/oracles.py", "precision.sum(0)[:, None] * x", "precision.sum(0)[:, None]", f"{TD}/test_oracles.py"),
    (f"{D}/oracles.py", "+ alpha * of_x * x", "+ of_x * x", f"{TD}/test_oracles.py"),
    # divergence and likelihood
    (f"{D}/divergence.py", "(2 * bits - 1)", "(bits)", f"{TD}/test_divergence.py"),
    (f"{D}/divergence.py", "(product * direction)", "product", f"{TD}/test_divergence.py"),
    (f"{D}/likelihood.py", "prior_log_density(latent) + moved", "prior_log_density(latent) - moved", f"{TD}/test_likelihood.py"),
    (f"{D}/quadrature.py", "2 * span * point * divergence", "span * point * divergence", f"{TD}/test_quadrature.py"),
    (f"{D}/quadrature.py", "(states[-1]) + integral", "(states[-1]) - integral", f"{TD}/test_quadrature.py"),
    (f"{D}/likelihood.py", "dim > EXACT_UP_TO)", "dim >= EXACT_UP_TO)", f"{TD}/test_likelihood.py"),
    (f"{D}/likelihood.py", "noisy=noisy, method", "noisy=False, method", f"{TD}/test_likelihood.py"),
    # samplers
    (f"{D}/samplers/ode.py", "0.5 * (t_next - t) * (slope + ahead)", "(t_next - t) * ahead", f"{TD}/samplers"),
    (f"{D}/samplers/sde.py", "(h * g2) ** 0.5 * noise", "(2 * h * g2) ** 0.5 * noise", f"{TD}/samplers/test_sde.py"),
    (f"{D}/samplers/sde.py", "f * x - g2 * model", "f * x - 0.5 * g2 * model", f"{TD}/samplers/test_sde.py"),
    (f"{D}/samplers/exponential.py", "* sigma_next / sigma", "* sigma_next", f"{TD}/samplers/test_exponential.py"),
    (f"{D}/samplers/exponential.py", "-0.5 * width", "0.5 * width", f"{TD}/samplers/test_laws.py"),
    (f"{D}/samplers/edm.py", "s_hat**2 - s**2", "s_hat - s", f"{TD}/samplers/test_edm.py"),
    (f"{D}/samplers/edm.py", "scale[t_hat] * state, t_hat", "scale[t_hat] * state, t", f"{TD}/samplers/test_edm.py"),
    (f"{D}/samplers/noise.py", "self._used - 1", "0", f"{TD}/samplers/test_noise.py"),
    (f"{D}/samplers/loop.py", "self.calls += 1", "self.calls += 2", f"{TD}/samplers/test_laws.py"),
    (f"{D}/samplers/loop.py", "mean if last_mean else x", "x", "tests/test_seams.py"),
    (f"{D}/samplers/result.py", "nfe=found.nfe + 1", "nfe=found.nfe", f"{TD}/samplers/test_result.py"),
    (f"{N}/solvers.py", "torch.cat([even, new])", "even", f"{TN}/test_solvers.py"),
    (f"{D}/guard.py", "| times.isnan()", "", f"{TD}/test_guard.py"),
    # objectives, models, networks
    (f"{L}/objectives.py", "path.sigma(t).square()", "path.sigma(t)", f"{TL}/test_objectives.py"),
    (f"{L}/objectives.py", "+ (1 - path.t_min) * uniform", "+ uniform", f"{TL}/test_objectives.py"),
    (
        f"{L}/models.py",
        "self.prediction, self.weight, known_times)",
        'self.prediction, "one", known_times)',
        f"{TL}/test_shared_training.py",
    ),
    (f"{L}/models.py", "objective.known_times, conditioning)", "None, conditioning)", f"{TL}/test_shared_training.py"),
    (f"{L}/models.py", "denoiser.eval().requires", "denoiser.requires", f"{TL}/test_shared_training.py"),
    (f"{L}/fit.py", "noise=torch.randn(x0.shape, **drawn)", "noise=x0", f"{TL}/test_shared_training.py"),
    (f"{L}/fit.py", "known_times=objective.known_times, **drawn", "**drawn", f"{TL}/test_shared_training.py"),
    (
        f"{L}/fit.py",
        "model.build(seed)",
        "model.build(seed + len(method))",
        f"{TL}/test_shared_training.py",
    ),
    (f"{L}/data/scale.py", "(new[1] - new[0]) / (old[1] - old[0])", "(new[1] - new[0])", f"{TL}/test_shared_training.py"),
    (f"{L}/data/training.py", "unit.flip(-1)", "unit.flip(-2)", f"{TL}/data/test_training.py"),
    (f"{L}/data/training.py", "device=device) < 0.5", "device=device) < 0.9", f"{TL}/data/test_training.py"),
    (
        f"{L}/data/celeba.py",
        "WIDTH, HEIGHT, CROP = 178, 218, 140",
        "WIDTH, HEIGHT, CROP = 178, 218, 138",
        f"{TL}/data/test_celeba.py",
    ),
    (f"{L}/data/scale.py", "(values + 0.5)", "values", f"{TL}/data"),
    (f"{L}/data/batches.py", "end - first * self.n]", "end - first * self.n - 1]", f"{TL}/data"),
    (f"{L}/nets/unet.py", "1 + scale)", "scale)", f"{TL}/nets"),
    (f"{L}/nets/unet.py", "torch.cat([h, skips.pop()], 1)", "torch.cat([h, 0 * skips.pop()], 1)", f"{TL}/nets"),
    (f"{L}/nets/unet.py", "mixed.transpose(-1, -2).reshape", "mixed.reshape", f"{TL}/nets"),
    (f"{L}/nets/mlp.py", "self.skip(times), flat", "0 * self.skip(times), flat", f"{TL}/nets"),
    (f"{L}/nets/embedding.py", "angles.cos(), angles.sin()", "angles.cos(), angles.cos()", f"{TL}/nets"),
    # the training loop
    (
        f"{L}/training/loop.py",
        "derive_seed(seed, rank, step))",
        "derive_seed(seed, rank, 0))",
        f"{TL}/training {TL}/test_shared_training.py",
    ),
    (
        f"{L}/training/loop.py",
        "(most / (norm + 1e-6)).clamp_(max=1.0)",
        "(norm / (most + 1e-6)).clamp_(max=1.0)",
        f"{TL}/training",
    ),
    (
        f"{L}/training/loop.py",
        "return Trained(average.module.eval()",
        "return Trained(average.module",
        f"{TL}/test_shared_training.py {TL}/training",
    ),
    (f"{L}/training/average.py", "1 - self._kept", "self._kept", f"{TL}/training"),
    (f"{L}/training/average.py", '"kept": self._kept', '"kept": 1.0', f"{TL}/training"),
    (f"{L}/training/run.py", "seed, world, settings", "seed, settings", f"{TL}/test_shared_training.py"),
    (f"{L}/training/run.py", ", of.model_dump())", ")", f"{TL}/test_shared_training.py"),
    (
        f"{L}/training/state.py",
        "if sha256(content[DIGEST:]).digest() != content[:DIGEST]:",
        "if False:",
        f"{TL}/training/test_state.py",
    ),
    # metrics, statistics, vocabulary
    (f"{M}/metrics/density.py", "+ math.log2(grey_values / width)", "- math.log2(grey_values / width)", f"{TM}/metrics"),
    (f"{M}/metrics/density.py", "axis=0) - math.log(len", "axis=0) + math.log(len", f"{TM}/metrics"),
    (f"{M}/metrics/density.py", "if noisy and k > 1", "if noisy and k > 5", f"{TM}/metrics"),
    (f"{M}/metrics/coverage.py", "in_samples.any(axis=1)", "in_samples.any(axis=0)", f"{TM}/metrics"),
    (f"{M}/metrics/coverage.py", "neighbours, axis=1)[:, neighbours]", "neighbours, axis=1)[:, neighbours - 1]", f"{TM}/metrics"),
    (f"{M}/metrics/frechet.py", "- 2 * overlap", "- overlap", f"{TM}/metrics"),
    (
        f"{M}/metrics/inception_score.py",
        "np.exp(rel_entr(p, p.mean(axis=0))",
        "np.exp(rel_entr(p.mean(axis=0), p)",
        f"{TM}/metrics",
    ),
    (f"{M}/metrics/inception_score.py", "no_output_bias=True", "no_output_bias=False", f"{TM}/metrics"),
    (f"{M}/metrics/kernel.py", "within - 2 *", "within -", f"{TM}/metrics"),
    (f"{M}/metrics/wasserstein.py", "unit = found\n", "break\n", f"{TM}/metrics"),
    (f"{M}/verdicts.py", "/ math.sqrt(len(x)), error)", ", error)", f"{TM}/test_verdicts.py"),
    (f"{M}/statistics.py", 'pair["a"] / pair["b"]', 'pair["b"] / pair["a"]', f"{TM}"),
    (f"{M}/statistics.py", 'pair["a"] - pair["b"]', 'pair["b"] - pair["a"]', f"{TM}"),
    (
        f"{M}/verdicts.py",
        "if least <= found.low and found.high <= most",
        "if least <= found.high and found.low <= most",
        f"{TM}/test_verdicts.py",
    ),
    (f"{M}/verdicts.py", "CONFIDENCE = 1 - 2 * ERROR_RATE", "CONFIDENCE = 1 - ERROR_RATE", f"{TM}/test_verdicts.py"),
    (f"{M}/verdicts.py", "x, least, most = np.log(x), *(", "x, least, most = x, *(", f"{TM}/test_verdicts.py"),
    (f"{M}/verdicts.py", "return max(_p(x, sign * bound", "return min(_p(x, sign * bound", f"{TM}/test_verdicts.py"),
    (f"{M}/verdicts.py", "interval(x).low > 0", "interval(x).mean > 0", f"{TM}/test_verdicts.py"),
    (f"{M}/verdicts.py", "<= found.high - found.low", "<= 2 * (found.high - found.low)", f"{TM}/test_verdicts.py"),
    (f"{M}/claims.py", 'excess=values.get("excess")', "excess=None", f"{TM}/test_claims.py"),
    (f"{M}/registration.py", "len(claim.amended) <= (then", "len(claim.amended) < (then", f"{TM}/test_registration.py"),
    (f"{M}/statistic_source.py", "node.body = node.body[1:] or", "node.body = node.body or", f"{TM}/test_statistic_source.py"),
    (f"{M}/rows.py", "max(axis=1) - floor", "min(axis=1) - floor", f"{TM}/test_rows.py"),
    (f"{R}/kept.py", 'and info["base_seed"] == base_seed', "", "tests/common/runs/test_kept.py"),
    (f"{R}/kept.py", "if any(digest(Path(folder)", "if False and any(digest(Path(folder)", "tests/common/runs/test_kept.py"),
    (f"{L}/data/digits.py", 'derive_seed("digits split", replicate)', 'derive_seed("digits split")', f"{TL}/data/test_digits.py"),
    (f"{M}/rows.py", 'for name in what}), "smallest")', 'for name in what}), "largest")', f"{TM}/test_rows.py"),
    (f"{M}/rows.py", 'found["at"].max() if end == "largest"', 'found["at"].max() if end == "smallest"', f"{TM}/test_rows.py"),
    (f"{M}/rows.py", "np.log(table).mean", "table.mean", f"{TM}/test_rows.py"),
    # runs
    (f"{R}/folders.py", "if found != expected:", "if False:", "tests/report/test_collect.py"),
    (f"{R}/call.py", 'mark, out = "", _apart', 'mark, _ = "", _apart', "tests/report/test_collect.py"),
    (f"{R}/seeds.py", '"\\x1f".join', '"".join', f"{TR}/test_seeds.py"),
    (
        f"{R}/plan.py",
        "for data, seed in places for objective in entry.models",
        "for data, seed in places for objective in entry.objectives(data)[:1]",
        f"{TR}/test_plan.py",
    ),
    # flow matching
    (f"{F}/conditional_flow_matching.py", "sigma_dot / sigma * (x - alpha * x0)", "sigma_dot / sigma * (x + alpha * x0)", TF),
    (f"{F}/path_geometry.py", "(states[0] - states[-1]) / span", "(states[-1] - states[0]) / span", TF),
    (f"{F}/upsampling.py", "torch.log10(4 /", "torch.log10(1 /", TF),
    (f"{F}/sampling.py", "denoiser.path.prior_std * part", "part", f"{TF}/test_measurements.py"),
    (f"{F}/image_likelihood.py", "found.draws[first : first + k]", "found.draws[:k]", f"{TF}/test_measurements.py"),
    (f"{F}/image_likelihood.py", ".reshape(draws - 1, bound)", ".reshape(bound, draws - 1).T", f"{TF}/test_measurements.py"),
    (f"{F}/image_likelihood.py", "test.grey_values, generator=dequantise", "test.grey_values", f"{TF}/test_measurements.py"),
    (f"{F}/image_likelihood.py", "bits[a].bound[k] - bits", "bits[a].bound[k] + bits", f"{TF}/test_measurements.py"),
    ("common/evaluation/yardstick.py", "self.training[:n]", "self.training", "tests/common/evaluation/test_yardstick.py"),
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
    # neural ODE
    (f"{N}/adjoint.py", "adjoint = adjoint + losses[i - 1]", "adjoint = losses[i - 1]", f"{TN}/test_adjoint.py"),
    (f"{N}/adjoint.py", "start = start - time_gradients[i]", "start = start + time_gradients[i]", f"{TN}/test_adjoint.py"),
    (f"{N}/planar_solve.py", "units.overlap @ (s - s", "units.overlap @ (s + s", f"{TN}/test_planar_flows.py"),
    (f"{N}/planar_solve.py", "(k2.add_(k3), alpha=2)", "(k2.add_(k3), alpha=1)", f"{TN}/test_planar_flows.py"),
    (f"{N}/planar_solve.py", "s[stage], value=-2), out_of", "s[stage], value=-1), out_of", f"{TN}/test_planar_flows.py"),
    (f"{N}/planar_cnf.py", "4 * (gated * w)", "2 * (gated * w)", f"{TN}/test_planar_flows.py"),
    (f"{N}/planar_flow.py", "slopes = 1 - hidden", "slopes = 1 + hidden", f"{TN}/test_planar_flows.py"),
    (f"{N}/planar_flow.py", "-2 * overlap * to_slopes", "2 * overlap * to_slopes", f"{TN}/test_planar_flows.py"),
    (
        f"{N}/recurrent.py",
        "sub_(recurrent.sum(2, keepdim=True) / 2)",
        "sub_(recurrent.sum(2, keepdim=True))",
        f"{TN}/test_latent_ode.py",
    ),
    (f"{N}/networks.py", "3 * down + right", "3 * right + down", f"{TN}/test_networks.py"),
    (f"{N}/latent_ode.py", "(0.5 * self.log_variance).exp()", "self.log_variance.exp()", f"{TN}/test_latent_ode.py"),
    (f"{N}/latent_ode.py", "-1).flip(1)", "-1)", f"{TN}/test_latent_ode.py"),
    (f"{N}/latent_ode.py", "- 1 - log_variance", "- 1 + log_variance", f"{TN}/test_latent_ode.py"),
    (f"{N}/rnn_forecaster.py", "gaps = STEP * torch", "gaps = 0 * torch", f"{TN}/test_latent_ode.py"),
    (f"{N}/rnn_forecaster.py", "(WINDOW + ahead - last)", "(ahead + 1)", f"{TN}/test_spiral_scores.py"),
    (f"{N}/autonomous_solve.py", "[1.0, 2.0, 2.0, 1.0, 0.0]", "[1.0, 2.0, 1.0, 1.0, 1.0]", f"{TN}/test_poisson_process.py"),
    (f"{N}/spiral_scores.py", "(2 * value)", "value", f"{TN}/test_spiral_scores.py"),
    (
        f"{N}/flow_training.py",
        "base_log_density(base) - log_det + weight * energies",
        "base_log_density(base) + log_det + weight * energies",
        f"{TN}",
    ),
    (f"{N}/flow_training.py", "-base_log_density(base) - log_det", "-base_log_density(base) + log_det", f"{TN}"),
    (f"{N}/flow_training.py", "(1 - first) * step", "step", f"{TN}/test_flow_measurements.py"),
    (f"{N}/depth.py", "accepted = ratio <= 1", "accepted = ratio <= 2", f"{TN}/test_networks.py"),
    (f"{N}/depth.py", "counts[going] += 6", "counts += 6", f"{TN}/test_networks.py"),
    (f"{N}/dormand_prince.py", "slopes[0] = last[-1][6]", "slopes[0] = last[-1][5]", f"{TN}/test_dormand_prince.py"),
    (f"{N}/dormand_prince.py", "square = last - 4 * first", "square = last + 4 * first", f"{TN}/test_dormand_prince.py"),
    (f"{N}/dormand_prince.py", "end.abs()).mul_(rtol)", "end.abs()).mul_(tolerance)", f"{TN}/test_dormand_prince.py"),
    (f"{N}/dormand_prince.py", "* self.roots).max()", "* self.roots).sum()", f"{TN}/test_dormand_prince.py"),
    (f"{N}/poisson_process.py", "sequences - integrals.sum()", "sequences + integrals.sum()", f"{TN}/test_poisson_process.py"),
    # noise-conditional score networks
    (f"{S}/instance_norm.py", "gamma * alpha, (mu - m)", "alpha, (mu - m)", f"{TS}/test_instance_norm.py"),
    (f"{S}/instance_norm.py", "keepdim=True)", "keepdim=True, correction=0)", f"{TS}/test_instance_norm.py"),
    (f"{S}/instance_norm.py", "torch.rsqrt(variance + EPS)", "1 / (variance.sqrt() + EPS)", f"{TS}/test_instance_norm.py"),
    (f"{S}/refinenet.py", "self.enter(2 * x - 1)", "self.enter(x)", f"{TS}/test_refinenet.py"),
    (f"{S}/refinenet.py", "align_corners=True", "align_corners=False", f"{TS}/test_refinenet.py"),
    (f"{S}/refinenet.py", "block(wide, wide, dilation=4)", "block(wide, wide, dilation=2)", f"{TS}/test_refinenet.py"),
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
        f"{S}/experiments/objectives.py",
        "half_square(sigma * score + noise)",
        "half_square(sigma * score - noise)",
        f"{TS}/test_ncsn_objectives.py",
    ),
    (f"{S}/experiments/objectives.py", ".mean()) * scale)", ".mean()) / scale)", f"{TS}/test_ncsn_objectives.py"),
    (
        f"{S}/experiments/objectives.py",
        "-network(x, t) / broadcast(sigma, x)",
        "-network(x, t) * broadcast(sigma, x)",
        f"{TS}/test_ncsn_objectives.py",
    ),
    ("common/measure/step_cost.py", "self.total += cost", "self.total = cost", "tests/common/measure/test_step_cost.py"),
    (f"{S}/states.py", "step - share * settings.steps", "step - share", f"{TS}/test_ncsn_objectives.py"),
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
    (f"{D}/denoiser.py", "level_of(self.levels, t)", "level_of(self.known_times, t)", f"{TD}/test_denoiser.py"),
    (f"{D}/samplers/loop.py", "gaps = gaps[gaps != 0]", "gaps = gaps.abs()", f"{TD}/samplers/test_loop.py"),
    (
        f"{L}/fit.py",
        "pixels, replicate=context.seed, flip=flip",
        "pixels, replicate=context.seed",
        f"{TL}/test_shared_training.py",
    ),
    (f"{L}/fit.py", "model.pixel_range or PIXELS", "PIXELS", f"{TL}/test_shared_training.py"),
    # FFJORD's rivals on flat data, and tables
    *(
        ("replications/ffjord/coupling_flows.py", old, new, "tests/replications/ffjord/test_coupling_flows.py")
        for old, new in (
            ("log_det + self.matrices.log_det()", "log_det - self.matrices.log_det()"),
            ("density(z) + log_det", "density(z) - log_det"),
            ("(shift, halves[1 - k % 2], log_scale.exp())", "(shift, halves[1 - k % 2], (-log_scale).exp())"),
            (
                "(network, halves[k % 2])\n            halves[1 - k % 2] = torch",
                "(network, halves[0])\n            halves[1] = torch",
            ),
            ("x[:, ::2], x[:, 1::2] = halves", "x[:] = torch.cat(halves, 1)"),
            ("torch.linalg.inv(self.matrices())", "self.matrices().transpose(1, 2)"),
            ("@ inverses[k])", "@ inverses[-1 - k])"),
            ("networks[k % 2][k // 2]", "networks[k % 2][0]"),
            ("torch.sigmoid(2 * raw)", "torch.sigmoid(raw)"),
        )
    ),
    *(
        ("replications/ffjord/autoregressive.py", old, new, "tests/replications/ffjord/test_autoregressive.py")
        for old, new in (
            ("- self.factor.diagonal().log()", "+ self.factor.diagonal().log()"),
            ("self.mean.device) @ self.factor.T", "self.mean.device) @ self.factor"),
            ("cov(correction=0)", "cov(correction=1)"),
        )
    ),
    *(
        (f"{L}/data/maf_tables.py", old, new, f"{TL}/data/test_maf_tables.py")
        for old, new in (
            ("seen = np.concatenate(parts[:2])", "seen = np.concatenate(parts)"),
            ("np.delete(rows, (1, 3), axis=1)", "np.delete(rows, (1, 4), axis=1)"),
            ("np.hstack((active, voltage,", "np.hstack((voltage, active,"),
            ("test = (test - train.mean(0))", "test = (test - test.mean(0))"),
            ("elif not check_integrity(path, MD5):", "elif False:"),
        )
    ),
    (f"{L}/data/columns.py", "rows.min(0)", "rows.max(0)", f"{TL}/data/test_columns.py"),
    (f"{L}/data/columns.py", "copied.argmax()", "np.flatnonzero(copied)[-1]", f"{TL}/data/test_columns.py"),
    (f"{L}/data/frame_pickle.py", '[block["mgr_locs"]]', "", f"{TL}/data/test_frame_pickle.py"),
    (f"{L}/data/tables.py", "(wanted - train.mean(0))", "(wanted - wanted.mean(0))", f"{TL}/data/test_tables.py"),
    (f"{L}/data/tables.py", "rows[:, ~least_repeated(rows)]", "rows", f"{TL}/data/test_tables.py"),
    (f"{L}/data/patches.py", "place + size <= end", "place < end", f"{TL}/data/test_tables.py"),
    (f"{L}/data/patches.py", "keepdim=True))[:, :-1]", "keepdim=True))[:, 1:]", f"{TL}/data/test_tables.py"),
    # FFJORD's variational autoencoder
    (f"{J}/posterior_flows.py", "softplus(overlap) - 1", "softplus(overlap)", f"{TJ}/test_posterior_flows.py"),
    (f"{J}/posterior_flows.py", "Moved(z, torch.log1p(slopes", "Moved(z, -torch.log1p(slopes", f"{TJ}/test_posterior_flows.py"),
    (f"{J}/posterior_flows.py", "q @ r_inner.mT", "q @ r_inner", f"{TJ}/test_posterior_flows.py"),
    (f"{J}/posterior_flows.py", "* r.diagonal(dim1=-2, dim2=-1).sign()[..., None, :]", "", f"{TJ}/test_posterior_flows.py"),
    (f"{J}/inverse_autoregressive.py", "[:, None] > seen[-1]", "[:, None] >= seen[-1]", f"{TJ}/test_posterior_flows.py"),
    (f"{J}/inverse_autoregressive.py", "log_det + log_gate", "log_det - log_gate", f"{TJ}/test_posterior_flows.py"),
    (f"{J}/inverse_autoregressive.py", "z.flip(1) if number", "z if number", f"{TJ}/test_posterior_flows.py"),
    (f"{J}/amortised_layers.py", "h @ self.right, self.left.mT", "h @ self.left, self.right.mT", f"{TJ}/test_amortised_field.py"),
    (f"{J}/amortised_layers.py", "h, torch.addcmul(self.shift, self.time, t)", "h, self.shift", f"{TJ}/test_amortised_field.py"),
    (f"{J}/amortised_field.py", "[layer.aliased() for layer in layers]", "list(layers)", f"{TJ}/test_amortised_field.py"),
    (f"{J}/amortised_field.py", "-2 * h * s", "-h * s", f"{TJ}/test_amortised_field.py"),
    (f"{J}/amortised_field.py", "s - s.square()", "s", f"{TJ}/test_amortised_field.py"),
    (f"{J}/amortised_tape.py", "else old + new", "else new", f"{TJ}/test_amortised_field.py"),
    (f"{J}/amortised_tape.py", "layer.at(times, h)", "layer.at(0 * times, h)", f"{TJ}/test_amortised_field.py"),
    (f"{J}/amortised_flow.py", "log_det + pushed", "log_det - pushed", f"{TJ}/test_amortised_field.py"),
    (f"{J}/vae.py", "log_start - moved", "log_start + moved", f"{TJ}/test_vae.py"),
    (f"{J}/vae.py", " - 0.5 * variance.log().sum(1)", "", f"{TJ}/test_vae.py"),
    (f"{J}/vae.py", "variance.sqrt(), noise", "variance, noise", f"{TJ}/test_vae.py"),
    (f"{J}/vae.py", "else GREY_VALUES - 1", "else GREY_VALUES", f"{TJ}/test_vae.py"),
    (f"{J}/vae.py", "(dim * math.log(2))", "dim", f"{TJ}/test_vae.py"),
    (f"{J}/vae_training.py", "weight * bound.divergence", "bound.divergence", f"{TJ}/test_vae_training.py"),
    (f"{L}/data/binary_images.py", "(1 - found", "(found", f"{TL}/data/test_binary_images.py"),
    (f"{L}/data/binary_images.py", "swapaxes(1, 2)\n", "swapaxes(1, 1)\n", f"{TL}/data/test_binary_images.py"),
    (f"{L}/data/binary_images.py", "values / (grey_values - 1)", "values / grey_values", f"{TL}/data/test_binary_images.py"),
    # free-form flows: trace, solve and their derivatives
    (f"{J}/trace_estimators.py", "return 2 * square", "return square", f"{TJ}/test_trace_estimators.py"),
    (f"{J}/trace_estimators.py", "+ jacobian.mT) / 2", ") / 1", f"{TJ}/test_trace_estimators.py"),
    (f"{J}/trace_estimators.py", "variance(of_h @ of_g", "variance(of_g @ of_h", f"{TJ}/test_trace_estimators.py"),
    (f"{J}/trace_estimators.py", "(value, hidden, through_h", "(value, hidden, value", f"{TJ}/test_trace_estimators.py"),
    (f"{J}/layers.py", "+ self.shift(t)", "", f"{TJ}/test_free_form_flow.py"),
    (f"{J}/chain.py", "(b if i == 0 else b - w.sum(1))", "b", f"{TJ}/test_free_form_flow.py"),
    (f"{J}/chain.py", "(d, d, h, value=-2)", "(d, d, h, value=-1)", f"{TJ}/test_solve.py"),
    (f"{J}/chain.py", "(s * (1 - h) + d)", "(s + d)", f"{TJ}/test_solve.py"),
    (f"{J}/chain.py", "(after + i) % count", "i", f"{TJ}/test_free_form_flow.py"),
    (f"{J}/chain_tape.py", "matrices[i][self.traced].baddbmm_(g, before.mT)", "pass", f"{TJ}/test_solve.py"),
    (f"{J}/chain_tape.py", "torch.mul(bent, second", "torch.mul(bent, d", f"{TJ}/test_solve.py"),
    (f"{J}/direct.py", "spans[i - 1] * weight", "spans[i] * weight", f"{TJ}/test_solve.py"),
    (f"{J}/direct.py", "[float(rows[-2, 0]) * spans[i]]", "[0.0]", f"{TJ}/test_solve.py"),
    (f"{J}/direct.py", "gradients[0] = gradients.sum(0)", "gradients[0] = gradients[1:].sum(0)", f"{TJ}/test_solve.py"),
    (f"{J}/direct.py", "needless = 1 if", "needless = 2 if", f"{TJ}/test_solve.py"),
    (f"{J}/direct.py", "slopes[0] = slopes[-1]", "slopes[0] = slopes[-2]", f"{TJ}/test_solve.py"),
    (f"{J}/autograd_tape.py", "totals[i].add_(gradient)", "gradient", f"{TJ}/test_solve.py"),
    (f"{J}/solve.py", "ctx.evaluations.backward += len(method.rows) *", "ctx.evaluations.backward +=", f"{TJ}/test_solve.py"),
    (f"{J}/solve.py", ", parameters=_learnt(field, parameters))[-1]", ")[-1]", f"{TJ}/test_solve.py"),
    (f"{J}/free_form_flow.py", "(base.z) + base.integral", "(base.z) - base.integral", f"{TJ}/test_free_form_flow.py"),
    (f"{J}/free_form_flow.py", "reversed(self.fields) if", "self.fields if", f"{TJ}/test_free_form_flow.py"),
    (f"{J}/free_form_flow.py", "(count * self.end_time *", "(count *", f"{TJ}/test_free_form_flow.py"),
    # flows on images
    (f"{J}/logit.py", "(math.log(1 - 2 * alpha) - low", "(0 * alpha - low", f"{TJ}/test_logit.py"),
    (f"{J}/logit.py", "- low - high)", "+ low + high)", f"{TJ}/test_logit.py"),
    (f"{J}/logit.py", "for part in (x, 1 - x))", "for part in (x, 1.0 - x.float()))", f"{TJ}/test_logit.py"),
    (f"{J}/logit.py", "(torch.sigmoid(y) - alpha)", "torch.sigmoid(y)", f"{TJ}/test_logit.py"),
    (f"{J}/multiscale.py", "cat([y, given.pop()]", "cat([given.pop(), y]", f"{TJ}/test_multiscale.py"),
    (f"{J}/multiscale.py", "y, given = y.chunk", "given, y = y.chunk", f"{TJ}/test_multiscale.py"),
    (f"{J}/multiscale.py", "in reversed(after)", "in after", f"{TJ}/test_multiscale.py"),
    (f"{J}/multiscale.py", "while side >= SMALLEST", "while side > SMALLEST", f"{TJ}/test_multiscale.py"),
    (f"{J}/conv_fields.py", "= F.softplus(inner[-1])", "= inner[-1]", f"{TJ}/test_conv_fields.py"),
    (f"{J}/conv_fields.py", '("none", "halve") *', '("halve", "none") *', f"{TJ}/test_conv_fields.py"),
    (f"{J}/conv_fields.py", "t.to(h).expand", "(0 * t).to(h).expand", f"{TJ}/test_conv_fields.py"),
    (
        f"{J}/conv_fields.py",
        "tangent * torch.sigmoid(inner[i])",
        "tangent * torch.sigmoid(-inner[i])",
        f"{TJ}/test_conv_fields.py",
    ),
    (f"{J}/conv_fields.py", "(self.traced_after + k) % count", "k", f"{TJ}/test_conv_fields.py"),
    (f"{J}/conv_tape.py", "self.totals[i] + gradient", "gradient", f"{TJ}/test_conv_tape.py"),
    (f"{J}/conv_tape.py", "[list(stage) for stage", "[[] for stage", f"{TJ}/test_conv_tape.py"),
    (f"{J}/image_flows.py", "log_det + end.integral", "log_det - end.integral", f"{TJ}/test_image_flows.py"),
    (f"{J}/image_flows.py", "width=1.0", "width=2.0", f"{TJ}/test_image_flows.py"),
    (f"{J}/image_flows.py", "(-1.0, 1.0), (0.0, 1.0)", "(-1.0, 1.0), (0.0, 2.0)", f"{TJ}/test_image_flows.py"),
    (f"{J}/image_flows.py", "y, self.settings.end_time, 0.0", "y, 0.0, self.settings.end_time", f"{TJ}/test_image_flows.py"),
]


# files for random mistakes, and the tests that answer for them
WATCHED = {
    f"{D}/paths.py": f"{TD}/test_paths.py {TD}/test_answers.py",
    f"{D}/answers.py": f"{TD}/test_answers.py {TD}/samplers/test_laws.py",
    f"{D}/denoiser.py": f"{TD}/test_denoiser.py",
    f"{D}/oracles.py": f"{TD}/test_oracles.py",
    f"{D}/divergence.py": f"{TD}/test_divergence.py {TD}/test_likelihood.py",
    f"{D}/likelihood.py": f"{TD}/test_likelihood.py",
    f"{D}/quadrature.py": f"{TD}/test_quadrature.py",
    f"{D}/samplers/exponential.py": f"{TD}/samplers",
    f"{D}/samplers/edm.py": f"{TD}/samplers",
    f"{D}/samplers/noise.py": f"{TD}/samplers",
    f"{L}/objectives.py": f"{TL}/test_objectives.py",
    f"{L}/data/batches.py": f"{TL}/data",
    f"{L}/data/scale.py": f"{TL}/data",
    f"{L}/training/average.py": f"{TL}/training/test_loop.py",
    f"{L}/nets/mlp.py": f"{TL}/nets",
    f"{M}/metrics/density.py": f"{TM}/metrics/test_density.py",
    f"{M}/metrics/coverage.py": f"{TM}/metrics",
    f"{M}/metrics/frechet.py": f"{TM}/metrics",
    f"{M}/metrics/kernel.py": f"{TM}/metrics",
    f"{M}/metrics/wasserstein.py": f"{TM}/metrics",
    f"{M}/statistics.py": f"{TM}/test_statistics.py",
    f"{M}/verdicts.py": f"{TM}/test_verdicts.py",
    f"{M}/rows.py": f"{TM}/test_rows.py",
    f"{F}/conditional_flow_matching.py": TF,
    f"{F}/path_geometry.py": TF,
    f"{F}/board.py": f"{TF}/test_exact.py",
    f"{F}/image_likelihood.py": f"{TF}/test_measurements.py",
    f"{F}/upsampling.py": TF,
    f"{N}/planar_cnf.py": f"{TN}/test_planar_flows.py",
    f"{N}/planar_flow.py": f"{TN}/test_planar_flows.py",
    f"{N}/planar_solve.py": f"{TN}/test_planar_flows.py",
    f"{N}/adjoint.py": f"{TN}/test_adjoint.py",
    f"{S}/score_matching.py": f"{TS}/test_score_matching.py",
    f"{S}/annealed_langevin.py": f"{TS}/test_annealed_langevin.py",
    f"{S}/chains.py": f"{TS}/test_chains_and_inpainting.py",
    f"{S}/inpainting.py": f"{TS}/test_chains_and_inpainting.py",
    f"{J}/trace_estimators.py": f"{TJ}/test_trace_estimators.py",
    f"{J}/layers.py": f"{TJ}/test_free_form_flow.py",
    f"{J}/chain.py": f"{TJ}/test_free_form_flow.py {TJ}/test_solve.py",
    f"{J}/chain_tape.py": f"{TJ}/test_free_form_flow.py {TJ}/test_solve.py",
    f"{J}/direct.py": f"{TJ}/test_solve.py",
    f"{J}/free_form_flow.py": f"{TJ}/test_free_form_flow.py",
    f"{J}/posterior_flows.py": f"{TJ}/test_posterior_flows.py",
    f"{J}/inverse_autoregressive.py": f"{TJ}/test_posterior_flows.py",
    f"{J}/amortised_layers.py": f"{TJ}/test_amortised_field.py",
    f"{J}/amortised_field.py": f"{TJ}/test_amortised_field.py",
    f"{J}/amortised_tape.py": f"{TJ}/test_amortised_field.py",
    f"{J}/vae.py": f"{TJ}/test_vae.py",
}
SWAPPED = {ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.Lt: ">=", ast.Gt: "<=", ast.LtE: ">", ast.GtE: "<"}
SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Lt: "<", ast.Gt: ">", ast.LtE: "<=", ast.GtE: ">="}


def slips(file: str) -> list[tuple[str, str, str, str]]:
    """Every operator and number of a file turned round, each in its whole line, as mutants."""
    text = (ROOT / file).read_text()
    lines, found = text.split("\n"), []

    def slip(row: int, start: int, end: int, old: str, new: str) -> None:
        line = lines[row - 1]
        at = line.find(old, start, end)
        if at >= 0 and text.count(line) == 1:
            found.append((file, line, line[:at] + new + line[at + len(old) :], WATCHED[file]))

    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.BinOp) and type(node.op) in SWAPPED and node.left.end_lineno == node.right.lineno:
            slip(node.right.lineno, node.left.end_col_offset, node.right.col_offset, SIGNS[type(node.op)], SWAPPED[type(node.op)])
        elif (
            isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPPED and node.left.end_lineno == node.comparators[0].lineno
        ):
            right = node.comparators[0]
            slip(right.lineno, node.left.end_col_offset, right.col_offset, SIGNS[type(node.ops[0])], SWAPPED[type(node.ops[0])])
        elif isinstance(node, ast.Constant) and type(node.value) in (int, float) and node.value:
            old = ast.get_source_segment(text, node) or ""
            slip(node.lineno, node.col_offset, node.end_col_offset or 0, old, f"({old} * 2)")
    return found


def survives(mutant: tuple[str, str, str, str]) -> str:
    """Plant one mistake in a copy of the tree; return "" if a test fails, or what happened."""
    file, old, new, tests = mutant
    text = (ROOT / file).read_text()
    if old not in text:
        return "does not apply: the code has changed, write the mutant anew"
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        ignore = shutil.ignore_patterns(".git", ".venv", "results", "build", ".snakemake", "*_cache", "__pycache__")
        shutil.copytree(ROOT, tree, ignore=ignore)
        (tree / file).write_text(text.replace(old, new, 1))
        command = [sys.executable, "-m", "pytest", "-o", "addopts=", "-q", "-x", "-p", "no:cacheprovider", *tests.split()]
        try:
            environment = os.environ | {"OMP_NUM_THREADS": "1"}
            done = subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=SECONDS, env=environment)
        except subprocess.TimeoutExpired:
            return ""
    return {0: "survives", 1: ""}.get(done.returncode, f"did not run: {done.stdout[-300:]}{done.stderr[-300:]}")


def main() -> int:
    """Run the mutants and print the score; 0 when every one that applies is caught."""
    if "--random" in sys.argv:
        pool_of_slips = [mutant for file in WATCHED for mutant in slips(file)]
        count, sample = (int(word) for word in [*sys.argv[2:], "0"][:2])
        chosen = random.Random(sample).sample(pool_of_slips, count)
    else:
        chosen = [mutant for mutant in MUTANTS if all(word in " ".join(mutant) for word in sys.argv[1:])]
    caught = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for mutant, outcome in zip(chosen, pool.map(survives, chosen)):
            caught += not outcome
            print(f"{outcome or 'caught'}: {mutant[0]}: {mutant[1]!r} -> {mutant[2]!r}", flush=True)
    print(f"{caught} of {len(chosen)} caught: {caught / len(chosen):.1%}")
    return 0 if caught == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
