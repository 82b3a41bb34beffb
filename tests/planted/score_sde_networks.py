"""Mistakes to plant in score SDE's networks: file, what stands there, what a slip would make of it, tests that should fail."""

S = "replications/score_sde"
TS = f"tests/{S}"
FIR, NET, CHECKPOINT = f"{TS}/test_score_sde_fir.py", f"{TS}/test_ncsnpp.py", f"{TS}/test_score_sde_checkpoint.py"
IMPORTING, LARGE = f"{TS}/test_score_sde_importing.py", f"{TS}/test_score_sde_settings.py"

MUTANTS = [
    (f"{S}/fir.py", "stride=2, padding=1, groups", "stride=2, padding=0, groups", FIR),
    (f"{S}/fir.py", "(1.0, 3.0, 3.0, 1.0)", "(1.0, 2.0, 2.0, 1.0)", FIR),
    (
        f"{S}/fir.py",
        "conv_transpose2d(x, 4 * _filter(x), stride=2, padding=1",
        "conv_transpose2d(x, _filter(x), stride=2, padding=1",
        FIR,
    ),
    (f"{S}/fir.py", "padding=2, groups", "padding=1, groups", FIR),
    (f"{S}/embeddings.py", "self.half - 1", "self.half", NET),
    (f"{S}/embeddings.py", "[phases.sin(), phases.cos()]", "[phases.cos(), phases.sin()]", NET),
    (f"{S}/embeddings.py", "self.frequencies * 2 * math.pi", "self.frequencies * math.pi", NET),
    (f"{S}/embeddings.py", "scale * torch.randn(dim // 2)", "scale * torch.rand(dim // 2)", NET),
    (f"{S}/blocks.py", "min(channels // 4, 32)", "min(channels // 2, 32)", NET),
    (f"{S}/blocks.py", "eps=1e-6", "eps=1e-5", NET),
    (f"{S}/blocks.py", "math.sqrt(0.5) if rescale", "math.sqrt(2) if rescale", NET),
    (f"{S}/blocks.py", "F.pad(x, (0, 1, 0, 1))", "F.pad(x, (1, 0, 1, 0))", NET),
    (f"{S}/blocks.py", "math.sqrt(3 * variance)", "math.sqrt(variance)", NET),
    (f"{S}/blocks.py", "scale=0.1 if kind", "scale=1.0 if kind", NET),
    (f"{S}/blocks.py", "or direction is not None\n", "\n", NET),
    (f"{S}/blocks.py", "conv(out, out, scale=NOTHING)", "conv(out, out)", NET),
    (f"{S}/attention.py", "initialise(self.qkv, 0.1 / channels)", "pass", NET),
    (f"{S}/progressive.py", "torch.cat([entering, h], 1)", "torch.cat([h, entering], 1)", NET),
    (f"{S}/progressive.py", "return h, self.conv(F.silu(self.norm(h)))", "return (h := self.conv(F.silu(self.norm(h)))), h", NET),
    (f"{S}/progressive.py", 'resampled(image, "up", self.fir) + mine', "mine", f"{NET} {CHECKPOINT}"),
    (f"{S}/stages.py", "torch.cat([h, kept.pop()], 1)", "torch.cat([kept.pop(), h], 1)", NET),
    (f"{S}/ncsnpp.py", "else 2 * x - 1", "else x", NET),
    (f"{S}/ncsnpp.py", "linear(time, time), nn.SiLU())", "linear(time, time))", NET),
    (f"{S}/ncsnpp.py", "norm(widths[0])", "norm(nf)", NET),
    (f"{S}/ncsnpp.py", "2 * width if joined", "width if joined", NET),
    (f"{S}/published.py", 'time, levels = "steps", None', 'time, levels = "t", None', NET),
    (f"{S}/published.py", "else (0.0, 1.0)", "else (-1.0, 1.0)", NET),
    (f"{S}/official_names.py", 'if name != "all_modules.0.W"', "if True", CHECKPOINT),
    (f"{S}/official_names.py", "weight.flatten(1).T", "weight.flatten(1)", CHECKPOINT),
    (
        f"{S}/official_names.py",
        '_layer("Conv_2", part.skip) if part.kind == "biggan"',
        '_layer("Conv_2", part.skip) if True',
        NET,
    ),
    (f"{S}/checkpoint.py", 'if model.objective.path == "ve":', "if False:", CHECKPOINT),
    (f"{S}/checkpoint.py", "if isinstance(part, OutputSkip)] or", "if isinstance(part, OutputSkip)][:1] or", CHECKPOINT),
    (f"{S}/checkpoint.py", "weights_only=True", "weights_only=False", CHECKPOINT),
    (f"{S}/checkpoint.py", 'removeprefix("module.")', 'removeprefix("modules.")', CHECKPOINT),
    (f"{S}/checkpoint.py", "if name not in wanted]", "if False]", CHECKPOINT),
]
WATCHED = {
    f"{S}/fir.py": FIR,
    f"{S}/embeddings.py": NET,
    f"{S}/blocks.py": NET,
    f"{S}/attention.py": NET,
    f"{S}/progressive.py": NET,
    f"{S}/stages.py": NET,
    f"{S}/ncsnpp.py": NET,
    f"{S}/official_names.py": CHECKPOINT,
    f"{S}/checkpoint.py": CHECKPOINT,
}
