"""Mistakes to plant in NCSNv2's networks: file, what stands there, what a slip would make of it, tests that should fail."""

S = "replications/ncsnv2"
NCSN = "replications/ncsn"
TS = f"tests/{S}"
NET, SETTINGS = f"{TS}/test_ncsnv2_networks.py", f"{TS}/test_ncsnv2_settings.py"

MUTANTS = [
    (f"{S}/refinenets.py", "F.max_pool2d(maps, 5, stride=1, padding=2)", "F.max_pool2d(maps, 3, stride=1, padding=1)", NET),
    (f"{S}/refinenets.py", "lambda channels: NoNorm(), max_5x5", "None, max_5x5", NET),
    (f"{S}/refinenets.py", "lambda channels: NoNorm(), max_5x5", "lambda channels: NoNorm()", NET),
    (f"{S}/refinenets.py", "Stage(4, down=True, dilation=4)", "Stage(4, dilation=4)", NET),
    (f"{S}/refinenets.py", "Stage(4, down=True, dilation=4)", "Stage(4, down=True, dilation=2)", NET),
    (f"{S}/refinenets.py", "_DOWN, _DOWN, _DOWN, *_DILATED", "_DOWN, _DOWN, Stage(2), *_DILATED", NET),
    (f"{S}/refinenets.py", '**ladder, prediction="noise"', '**ladder, prediction="score"', NET),
    (f"{S}/refinenets.py", 'weight="sigma_squared"', 'weight="one"', NET),
    (f"{S}/refinenets.py", 'if chosen.conditioning.t == "index" else None', "", NET),
    (f"{S}/refinenets.py", 'pixel_range=PIXELS["refinenet"]', 'pixel_range=PIXELS["shared"]', NET),
    (f"{NCSN}/refinenet.py", "*(block([width, width], out)", "*(block([out, width], out)", NET),
    (f"{NCSN}/refinenet.py", "refine_norm or norm, pooling=pooling", "norm, pooling=pooling", NET),
    (f"{NCSN}/refinenet.py", "<= 2**halvings", "<= 2 * halvings", NET),
    (f"{NCSN}/refinenet.py", "filters, units=3)", "filters)", NET),
    (f"{S}/experiments/train_refinenet.py", "math.prod(sample_shape(settings.data)) / 2", "1.0", SETTINGS),
    (f"{S}/experiments/train_refinenet.py", 'settings.objective == "ncsn"\n', 'settings.objective != "ncsn"\n', SETTINGS),
    (
        f"{S}/experiments/train_refinenet.py",
        '{} if settings.objective == "ncsnv2"',
        '{} if settings.objective == "ncsn"',
        SETTINGS,
    ),
    (
        f"{S}/experiments/train_refinenet.py",
        "context.seed_for(settings.data)",
        "context.seed_for(settings.data, settings.objective)",
        SETTINGS,
    ),
    (f"{S}/settings.yaml", "{sigma_max: 90, levels: 500", "{sigma_max: 50, levels: 500", SETTINGS),
    (f"{S}/settings.yaml", "batch: 32, epsilon: 0.001", "batch: 32", SETTINGS),
    (f"{S}/settings.yaml", "depth: deepest", "depth: deeper", SETTINGS),
]
WATCHED = {f"{S}/refinenets.py": NET}
