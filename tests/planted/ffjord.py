"""Mistakes to plant in ffjord: file, what stands there, what a slip would make of it, and the tests that should fail."""

J = "replications/ffjord"
P, S, I, R = (f"{J}/{folder}" for folder in ("posteriors", "solving", "images", "rivals"))
TJ = f"tests/{J}"

MUTANTS = [
    *(
        (f"{J}/experiments/images.py", old, new, f"{TJ}/test_ffjord_images.py")
        for old, new in (
            ("for each in (images, train))", "for each in (train, images))"),
            ('row("probe_variance", by_probe, n', 'row("probe_variance", by_probe / len(x), n'),
            ("found.values.var(0, ddof=1).mean()", "found.values.var(0).mean()"),
            ("gap = own.values[0] - found.values[0]", "gap = found.values[0] - own.values[0]"),
        )
    ),
    (f"{P}/posterior_flows.py", "softplus(overlap) - 1", "softplus(overlap)", f"{TJ}/test_posterior_flows.py"),
    (
        f"{P}/posterior_flows.py",
        "Moved(z, torch.log1p(slopes",
        "Moved(z, -torch.log1p(slopes",
        f"{TJ}/test_posterior_flows.py",
    ),
    (f"{P}/posterior_flows.py", "q @ r_inner.mT", "q @ r_inner", f"{TJ}/test_posterior_flows.py"),
    (
        f"{P}/posterior_flows.py",
        "* r.diagonal(dim1=-2, dim2=-1).sign()[..., None, :]",
        "",
        f"{TJ}/test_posterior_flows.py",
    ),
    (
        f"{P}/inverse_autoregressive.py",
        "[:, None] > seen[-1]",
        "[:, None] >= seen[-1]",
        f"{TJ}/test_posterior_flows.py",
    ),
    (f"{P}/inverse_autoregressive.py", "log_det + log_gate", "log_det - log_gate", f"{TJ}/test_posterior_flows.py"),
    (f"{P}/inverse_autoregressive.py", "z.flip(1) if number", "z if number", f"{TJ}/test_posterior_flows.py"),
    (
        f"{P}/amortised_layers.py",
        "h @ self.right, self.left.mT",
        "h @ self.left, self.right.mT",
        f"{TJ}/test_amortised_field.py",
    ),
    (
        f"{P}/amortised_layers.py",
        "h, torch.addcmul(self.shift, self.time, t)",
        "h, self.shift",
        f"{TJ}/test_amortised_field.py",
    ),
    (
        f"{P}/amortised_field.py",
        "[layer.aliased() for layer in layers]",
        "list(layers)",
        f"{TJ}/test_amortised_field.py",
    ),
    (f"{P}/amortised_field.py", "-2 * h * s", "-h * s", f"{TJ}/test_amortised_field.py"),
    (f"{P}/amortised_field.py", "s - s.square()", "s", f"{TJ}/test_amortised_field.py"),
    (f"{P}/amortised_tape.py", "else old + new", "else new", f"{TJ}/test_amortised_field.py"),
    (f"{P}/amortised_tape.py", "layer.at(times, h)", "layer.at(0 * times, h)", f"{TJ}/test_amortised_field.py"),
    (f"{P}/amortised_flow.py", "log_det + pushed", "log_det - pushed", f"{TJ}/test_amortised_field.py"),
    (f"{P}/vae.py", "log_start - moved", "log_start + moved", f"{TJ}/test_vae.py"),
    (f"{P}/vae.py", " - 0.5 * variance.log().sum(1)", "", f"{TJ}/test_vae.py"),
    (f"{P}/vae.py", "variance.sqrt(), noise", "variance, noise", f"{TJ}/test_vae.py"),
    (f"{P}/vae.py", "else GREY_VALUES - 1", "else GREY_VALUES", f"{TJ}/test_vae.py"),
    (f"{P}/vae.py", "(dim * math.log(2))", "dim", f"{TJ}/test_vae.py"),
    (f"{P}/vae_training.py", "weight * bound.divergence", "bound.divergence", f"{TJ}/test_vae_training.py"),
    (f"{J}/trace_estimators.py", "return 2 * square", "return square", f"{TJ}/test_trace_estimators.py"),
    (f"{J}/trace_estimators.py", "+ jacobian.mT) / 2", ") / 1", f"{TJ}/test_trace_estimators.py"),
    (f"{J}/trace_estimators.py", "variance(of_h @ of_g", "variance(of_g @ of_h", f"{TJ}/test_trace_estimators.py"),
    (f"{J}/trace_estimators.py", "(value, hidden, through_h", "(value, hidden, value", f"{TJ}/test_trace_estimators.py"),
    (f"{J}/layers.py", "+ self.shift(t)", "", f"{TJ}/test_free_form_flow.py"),
    (f"{J}/chain.py", "(b if i == 0 else b - w.sum(1))", "b", f"{TJ}/test_free_form_flow.py"),
    (f"{J}/chain.py", "(d, d, h, value=-2)", "(d, d, h, value=-1)", f"{TJ}/test_solve.py"),
    (f"{J}/chain.py", "(s * (1 - h) + d)", "(s + d)", f"{TJ}/test_solve.py"),
    (f"{J}/chain.py", "(after + i) % count", "i", f"{TJ}/test_free_form_flow.py"),
    *(
        (f"{J}/chain.py", old, new, f"{TJ}/test_solve.py")
        for old, new in (
            ("of_shift = (of_bias * t).sum(0)", "of_shift = of_bias.sum(0)"),
            ("[(layer.weight * scale).sum(0) for", "[layer.weight.sum(0) for"),
            ("[*(layer.weight.sum(0) for layer in gradients)", "[*(layer.weight[0] for layer in gradients)"),
            ("(of_bias, self.bias).mul_(gate - gate.square())", "(of_bias, self.bias).mul_(gate)"),
            ("of_gate.addcmul_(of_bias, self.bias)", "of_gate"),
            ("[*of_weights, (of_bias * gate).sum(0)", "[*of_weights, of_bias.sum(0)"),
            ("(of_gate * t).sum(0), of_gate.sum(0)]", "of_gate.sum(0), (of_gate * t).sum(0)]"),
        )
    ),
    (f"{S}/chain_tape.py", "matrices[i][self.traced].baddbmm_(g, before.mT)", "pass", f"{TJ}/test_solve.py"),
    (f"{S}/chain_tape.py", "torch.mul(bent, second", "torch.mul(bent, d", f"{TJ}/test_solve.py"),
    (f"{S}/direct.py", "spans[i - 1] * weight", "spans[i] * weight", f"{TJ}/test_solve.py"),
    (f"{S}/direct.py", "[float(rows[-2, 0]) * spans[i]]", "[0.0]", f"{TJ}/test_solve.py"),
    (f"{S}/direct.py", "gradients[0] = gradients.sum(0)", "gradients[0] = gradients[1:].sum(0)", f"{TJ}/test_solve.py"),
    (f"{S}/direct.py", "needless = 1 if", "needless = 2 if", f"{TJ}/test_solve.py"),
    (f"{S}/direct.py", "slopes[0] = slopes[-1]", "slopes[0] = slopes[-2]", f"{TJ}/test_solve.py"),
    (f"{S}/autograd_tape.py", "totals[i].add_(gradient)", "gradient", f"{TJ}/test_solve.py"),
    (
        f"{S}/solve.py",
        "ctx.evaluations.backward += len(method.rows) *",
        "ctx.evaluations.backward +=",
        f"{TJ}/test_solve.py",
    ),
    (f"{S}/solve.py", ", parameters=_learnt(field, parameters))[-1]", ")[-1]", f"{TJ}/test_solve.py"),
    (f"{J}/free_form_flow.py", "(base.z) + base.integral", "(base.z) - base.integral", f"{TJ}/test_free_form_flow.py"),
    (f"{J}/free_form_flow.py", "reversed(self.fields) if", "self.fields if", f"{TJ}/test_free_form_flow.py"),
    (f"{J}/free_form_flow.py", "(count * self.end_time *", "(count *", f"{TJ}/test_free_form_flow.py"),
    (f"{I}/logit.py", "(math.log(1 - 2 * alpha) - low", "(0 * alpha - low", f"{TJ}/test_logit.py"),
    (f"{I}/logit.py", "- low - high)", "+ low + high)", f"{TJ}/test_logit.py"),
    (f"{I}/logit.py", "for part in (x, 1 - x))", "for part in (x, 1.0 - x.float()))", f"{TJ}/test_logit.py"),
    (f"{I}/logit.py", "(torch.sigmoid(y) - alpha)", "torch.sigmoid(y)", f"{TJ}/test_logit.py"),
    (f"{I}/multiscale.py", "cat([y, given.pop()]", "cat([given.pop(), y]", f"{TJ}/test_multiscale.py"),
    (f"{I}/multiscale.py", "y, given = y.chunk", "given, y = y.chunk", f"{TJ}/test_multiscale.py"),
    (f"{I}/multiscale.py", "in reversed(after)", "in after", f"{TJ}/test_multiscale.py"),
    (f"{I}/multiscale.py", "while side >= SMALLEST", "while side > SMALLEST", f"{TJ}/test_multiscale.py"),
    (f"{I}/conv_fields.py", "= F.softplus(inner[-1])", "= inner[-1]", f"{TJ}/test_conv_fields.py"),
    (f"{I}/conv_fields.py", '("none", "halve") *', '("halve", "none") *', f"{TJ}/test_conv_fields.py"),
    (f"{I}/conv_fields.py", "t.to(h).expand", "(0 * t).to(h).expand", f"{TJ}/test_conv_fields.py"),
    (
        f"{I}/conv_fields.py",
        "tangent * torch.sigmoid(inner[i])",
        "tangent * torch.sigmoid(-inner[i])",
        f"{TJ}/test_conv_fields.py",
    ),
    (f"{I}/conv_fields.py", "(self.traced_after + k) % count", "k", f"{TJ}/test_conv_fields.py"),
    (f"{I}/conv_tape.py", "self.totals[i] + gradient", "gradient", f"{TJ}/test_conv_tape.py"),
    (f"{I}/conv_tape.py", "[list(stage) for stage", "[[] for stage", f"{TJ}/test_conv_tape.py"),
    (f"{I}/image_flows.py", "log_det + end.integral", "log_det - end.integral", f"{TJ}/test_image_flows.py"),
    (f"{I}/image_flows.py", "width=1.0", "width=2.0", f"{TJ}/test_image_flows.py"),
    (f"{I}/image_flows.py", "(-1.0, 1.0), (0.0, 1.0)", "(-1.0, 1.0), (0.0, 2.0)", f"{TJ}/test_image_flows.py"),
    (
        f"{I}/image_flows.py",
        "y, self.settings.end_time, 0.0",
        "y, 0.0, self.settings.end_time",
        f"{TJ}/test_image_flows.py",
    ),
    *(
        (f"{R}/coupling_flows.py", old, new, f"{TJ}/test_coupling_flows.py")
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
        (f"{R}/autoregressive.py", old, new, f"{TJ}/test_autoregressive.py")
        for old, new in (
            ("- self.factor.diagonal().log()", "+ self.factor.diagonal().log()"),
            ("self.mean.device) @ self.factor.T", "self.mean.device) @ self.factor"),
            ("cov(correction=0)", "cov(correction=1)"),
        )
    ),
]

# files for random mistakes, and the tests that answer for them
WATCHED = {
    f"{J}/trace_estimators.py": f"{TJ}/test_trace_estimators.py",
    f"{J}/layers.py": f"{TJ}/test_free_form_flow.py",
    f"{J}/chain.py": f"{TJ}/test_free_form_flow.py {TJ}/test_solve.py",
    f"{S}/chain_tape.py": f"{TJ}/test_free_form_flow.py {TJ}/test_solve.py",
    f"{S}/direct.py": f"{TJ}/test_solve.py",
    f"{J}/free_form_flow.py": f"{TJ}/test_free_form_flow.py",
    f"{P}/posterior_flows.py": f"{TJ}/test_posterior_flows.py",
    f"{P}/inverse_autoregressive.py": f"{TJ}/test_posterior_flows.py",
    f"{P}/amortised_layers.py": f"{TJ}/test_amortised_field.py",
    f"{P}/amortised_field.py": f"{TJ}/test_amortised_field.py",
    f"{P}/amortised_tape.py": f"{TJ}/test_amortised_field.py",
    f"{P}/vae.py": f"{TJ}/test_vae.py",
}
