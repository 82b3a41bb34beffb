"""Mistakes to plant in neural_ode: file, what stands there, what a slip would make of it, and the tests that should fail."""

N = "replications/neural_ode"
TN = f"tests/{N}"

MUTANTS = [
    (f"{N}/solvers.py", "torch.cat([even, new])", "even", f"{TN}/test_solvers.py"),
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
    (f"{N}/rnn_forecaster.py", "gaps = (STEP * torch", "gaps = (0 * torch", f"{TN}/test_latent_ode.py"),
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
]

# files for random mistakes, and the tests that answer for them
WATCHED = {
    f"{N}/planar_cnf.py": f"{TN}/test_planar_flows.py",
    f"{N}/planar_flow.py": f"{TN}/test_planar_flows.py",
    f"{N}/planar_solve.py": f"{TN}/test_planar_flows.py",
    f"{N}/adjoint.py": f"{TN}/test_adjoint.py",
}
