"""Mistakes to plant in the forecast: work that is counted, what devices make of it, how it grows from level to level."""

M, E, F, P = "common/measure", "common/evaluation", "replications/forecast", "replications"
WORK, OF_WORK = f"{M}/work.py", f"tests/{M}/test_work.py"
DEVICES, OF_DEVICES = f"{M}/devices.py", f"tests/{M}/test_devices.py"
LOOKING, OF_LOOKING = f"{E}/rehearsal.py", f"tests/{E}/test_observed.py"
UNTRAINED, OF_UNTRAINED = f"{E}/untrained.py", f"tests/{E}/test_untrained.py"
ROWS, SCALED = f"tests/{F}/test_forecast_rows.py", f"tests/{F}/test_forecast_scaled.py"
LINES, COUNT, COMMAND = (
    f"tests/{F}/test_forecast_lines.py",
    f"tests/{F}/test_forecast_count.py",
    f"tests/{F}/test_forecast_command.py",
)


def sizes(paper: str) -> tuple[str, str]:
    """Return a paper's sizes and their tests."""
    return f"{P}/{paper}/sizes.py", f"tests/{P}/{paper}/test_{paper}_sizes.py"


def of(paper: str, old: str, new: str) -> tuple[str, str, str, str]:
    """Return a mistake in a paper's sizes."""
    file, tests = sizes(paper)
    return file, old, new, tests


CHAINS, RESOURCES = "tests/replications/forecast/test_forecast_chains.py", "tests/common/runs/test_resources.py"
MUTANTS = [
    (f"{F}/scaled.py", "growth * plan.batch / own[number].batch", "growth", SCALED),
    (f"{F}/scaled.py", "growth = other.growth if other else 1.0", "growth = 1.0", SCALED),
    (f"{F}/chains.py", "before = max((ending(other)", "before = min((ending(other)", CHAINS),
    (f"{F}/chains.py", "line.hours / line.replicates", "line.hours", CHAINS),
    (f"{F}/show.py", "line.memory > DEVICES[line.device].memory", "line.memory < DEVICES[line.device].memory", LINES),
    ("common/runs/resources.py", "gpus > 1 and batch % gpus", "gpus > 1 and gpus % batch", RESOURCES),
    ("common/runs/resources.py", "if gpus > 1 and not batch", "if gpus > 2 and not batch", RESOURCES),
    ("common/runs/plan.py", 'settings["train"]["batch"] if entry.shares else 0', 'settings["train"]["batch"]', RESOURCES),
    ("report/cost.py", "0.0) + 3600 * float", "0.0) + 60 * float", "tests/report/test_forecast_columns.py"),
    ("report/cost.py", "found.get(key, 0.0) + 3600", "3600", "tests/report/test_forecast_columns.py"),
    ("report/cost.py", "> LEVELS.index(level)]", ">= LEVELS.index(level)]", "tests/report/test_forecast_columns.py"),
    (WORK, "self.moved * items)", "self.moved * calls)", OF_WORK),
    (WORK, "math.ceil(samples / (batch or samples))", "samples / (batch or samples)", OF_WORK),
    (WORK, "_bytes(args) + _bytes(out)", "_bytes(args)", OF_WORK),
    (WORK, "not func.is_view and ", "", OF_WORK),
    (WORK, "0 if value.is_meta else ", "", OF_WORK),
    (WORK, "or flop_registry.get(plain)", "", OF_WORK),
    (WORK, "self._flops += cost(", "self._flops = cost(", OF_WORK),
    (WORK, "self._seen.add(storage.data_ptr())", "pass", OF_WORK),
    (WORK, "{weight.data_ptr() for weight in weights}", "set()", OF_WORK),
    (DEVICES, "return max(busy, started) if", "return busy + started if", OF_DEVICES),
    (DEVICES, "work.moved / (self.moving * self.bandwidth)", "work.moved / self.bandwidth", OF_DEVICES),
    (DEVICES, "getattr(self.rates, precision)", "self.rates.fp32", OF_DEVICES),
    (DEVICES, "_A100, 1.555e12", "_A100, 2.039e12", OF_DEVICES),
    (DEVICES, "4.8e12, 141e9", "4.8e12, 141e6", OF_DEVICES),
    # looking on at trainings
    (LOOKING, "{max(1, min(most, 2)), *", "{1, *", f"{OF_LOOKING} {COUNT}"),
    (LOOKING, "part // (COUNTED - 1)", "part // COUNTED", OF_LOOKING),
    (LOOKING, "Lens(model, {2}, leave", "Lens(model, {1}, leave", OF_LOOKING),
    (LOOKING, "leave=len(found) + 1 == most", "leave=False", OF_LOOKING),
    (LOOKING, "small(settings, batch, steps=3)", "small(settings, batch)", OF_LOOKING),
    (LOOKING, '"snapshots": min(steps, settings.snapshots)', '"snapshots": 0', OF_LOOKING),
    (LOOKING, '"checkpoint_seconds": 1e9, ', "", OF_LOOKING),
    (LOOKING, "max(self.kept, float(self._saved.total))", "float(self._saved.total)", OF_LOOKING),
    (LOOKING, "        tally.__exit__(None, None, None)\n", "", OF_LOOKING),
    (LOOKING, "for value in settings.values():", "for value in [*settings.values()][:1]:", OF_LOOKING),
    (LOOKING, "if any(schedules(settings)):", "if True:", OF_UNTRAINED),
    (UNTRAINED, "not (folder / file).is_file() and ", "", OF_UNTRAINED),
    (UNTRAINED, 'if experiment == "features" else', "if False else", OF_UNTRAINED),
    (UNTRAINED, "run_of.train = _not_trained", "pass", OF_UNTRAINED),
    (UNTRAINED, "settings = context.alter(", "settings = (", OF_UNTRAINED),
    # the runs of a level, and their counted rows
    (f"{F}/runs.py", "{objectives[0]}", "{objectives[-1]}", ROWS),
    (f"{F}/runs.py", '== (data or run.values.get("data", data))', "is not None", ROWS),
    ("common/runs/plan.py", 'whole.model_copy(update={"sweep": {**whole.sweep, **narrowed}})', "whole", ROWS),
    (f"{F}/sizes.py", "own[run.experiment](settings) if run.experiment in own else ", "", ROWS),
    (f"{F}/sizes.py", "evaluations(3 * settings.steps,", "evaluations(settings.steps,", ROWS),
    (f"{F}/rows.py", "variant in (None, row.variant)", "True", ROWS),
    (f"{F}/rows.py", "    read.cache_clear()\n", "", ROWS),
    (f"{F}/rows.py", "if row[:3] not in done", "if True", ROWS),
    (f"{F}/count.py", "(plan.batch - low) / (high - low)", "plan.batch / high", COUNT),
    (f"{F}/count.py", "            if not found:\n                raise\n", "", COUNT),
    (f"{F}/count.py", "_at_level(few, many, plan)", "_at_level(few, many, plans[0])", COUNT),
    (f"{F}/count.py", "(seen.step.flops or seen.step.operations) / second", "1.0", COUNT),
    (f"{F}/count.py", 'any(part in "/".join', 'all(part in "/".join', COUNT),
    (f"{F}/count.py", "failed += 1", "pass", COUNT),
    (f"{F}/count.py", "if run.level in COUNTED else started(run)", "if True else started(run)", COUNT),
    # from counted work to a level's
    (f"{F}/scaled.py", "growth = 1.0 if run.level in COUNTED else there.growth", "growth = there.growth", SCALED),
    (f"{F}/scaled.py", "EVALUATION * there.flops / there.batch", "EVALUATION * there.flops", SCALED),
    (f"{F}/scaled.py", "growth * there.batch / here.batch", "growth", SCALED),
    (f"{F}/scaled.py", "reversed(COUNTED)", "COUNTED", SCALED),
    (
        f"{F}/scaled.py",
        "next(iter([*taken(run), *trained(run)]), None)",
        "next(iter([*trained(run), *taken(run)]), None)",
        SCALED,
    ),
    (f"{F}/scaled.py", "lambda other: -sum(", "lambda other: sum(", SCALED),
    (f"{F}/scaled.py", 'LIKE = {("gotta_go_fast", "published"): "learned"}', 'LIKE = {("", ""): ""}', SCALED),
    (f"{F}/scaled.py", "before[number % len(before)]", "before[0]", SCALED),
    (f"{F}/scaled.py", "own[min(number, len(own) - 1)].work", "own[0].work", SCALED),
    # hours, memory, disk, and how they are shown
    (f"{F}/lines.py", 'if plans and plans[0].precision == "bf16"', "if False", LINES),
    (f"{F}/lines.py", "1 + 2 * plan.snapshots", "1 + plan.snapshots", LINES),
    (f"{F}/lines.py", "device if run.gpu and alone", "device if run.gpu", LINES),
    (f"{F}/lines.py", "jobs / sum(len(run.seeds) for run in every)", "jobs / len(every)", COMMAND),
    (f"{F}/lines.py", "how.process * jobs * times", "how.process * times", LINES),
    (f"{F}/resources.py", " / line.replicates", "", LINES),
    (f"{F}/resources.py", '(2 if line.device == "cpu" else 1)', "1", LINES),
    (f"{F}/show.py", "sum(line.replicates * line.disk", "sum(line.disk", LINES),
    (f"{F}/show.py", "if how.measured", "if not how.measured", LINES),
    (f"{F}/show.py", "if value >= 0.9995 * size", "if value >= size", LINES),
    (f"{F}/ahead.py", "60 * total", "total", COMMAND),
    (f"{F}/ahead.py", "in found if line.device == device", "in found", COMMAND),
    (f"{F}/ahead.py", 'in found if line.device != "cpu"', "in found", COMMAND),
    (f"{F}/command.py", "options.seeds < 1", "options.seeds < 0", COMMAND),
    (f"{F}/command.py", "return options.seeds or ", "return ", COMMAND),
    # sizes of experiments
    (f"{E}/size.py", "dim * divergences.samples", "divergences.samples", sizes("flow_matching")[1]),
    (f"{E}/size.py", "evaluations(2 * solve(tolerance)", "evaluations(solve(tolerance)", sizes("flow_matching")[1]),
    of("ncsn", "[settings.train] * 4", "[settings.train] * 2"),
    of("ncsnv2", "min(settings.images, test_images(settings.data))", "settings.images"),
    of("neural_ode", "dopri5(settings.probe_tolerance)", "dopri5(settings.tolerance)"),
    of("ffjord", "min(settings.test_rows, test)", "settings.test_rows"),
    of("flow_matching", "states // settings.every", "states"),
    of("gotta_go_fast", '3 if sde == "vp" else 2', '3 if sde == "ve" else 2'),
    of("score_sde", "not (on_ve and discrete)", "not discrete"),
    of("survey", "min(settings.nfe, known) if", "settings.nfe if"),
]
WATCHED = {WORK: OF_WORK, DEVICES: OF_DEVICES, f"{F}/scaled.py": SCALED, f"{F}/lines.py": LINES, f"{F}/count.py": COUNT}
