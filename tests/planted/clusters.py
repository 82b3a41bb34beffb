"""Mistakes to plant in trainings of several processes and in what jobs ask of a cluster."""

L, R = "common/learning", "common/runs"
PROCESSES, LAUNCH, ASKED = "tests/common/learning/training/test_several_processes.py", "test_launch.py", "test_resources.py"

MUTANTS = [
    (f"{L}/training/state.py", "!= (now := distributed.world())", "== (now := -1)", PROCESSES),
    (f"{L}/training/state.py", '{"processes": distributed.world()}', '{"processes": 1}', PROCESSES),
    (f"{L}/training/run.py", "if not shared and", "if False and", PROCESSES),
    (f"{L}/data/batches.py", "slice(rank * batch // world, (rank + 1)", "slice(0, (0 + 1)", PROCESSES),
    (f"{R}/distributed.py", "    if world() == 1:\n        return model", "    if True:\n        return model", PROCESSES),
    (f"{R}/distributed.py", "if own >= there", "if own > there", f"tests/{R}/{LAUNCH}"),
    (f"{R}/cli.py", "options.threads // launch.processes()", "options.threads", f"tests/{R}/{LAUNCH}"),
    (f"{R}/cli.py", "not launch.started_by_torchrun()", "True", f"tests/{R}/{LAUNCH}"),
    (f"{R}/launch.py", "        os.close(lock)\n\n", "        pass\n\n", f"tests/{R}/{LAUNCH}"),
    (f"{R}/launch.py", '"CUDA_VISIBLE_DEVICES" in os.environ or', "", f"tests/{R}/{LAUNCH}"),
    (f"{R}/resources.py", "{**fallback, **next(", "{**next(", f"tests/{R}/{ASKED}"),
    (f"{R}/resources.py", "model_dump(exclude_none=True)", "model_dump()", f"tests/{R}/{ASKED}"),
    (f"{R}/resources.py", "if not any(fnmatchcase", "if any(fnmatchcase", f"tests/{R}/{ASKED}"),
]
WATCHED: dict[str, str] = {}
