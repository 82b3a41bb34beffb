# Jobs of flow matching. A model is trained once and kept under a key that names no paper.

from replications.flow_matching.image_sets import SETS as IMAGE_SETS, UPSAMPLING_SETS

FM = "replications.flow_matching"
FM_OBJECTIVES = retrace.raw_settings(FM, "table1", LEVEL)["objectives"]
FM_IMAGES, FM_UPSAMPLED = IMAGE_SETS[LEVEL], UPSAMPLING_SETS[LEVEL]
FM_NET = retrace.raw_settings(FM, "train_images", LEVEL)["backbone"]["kind"]
FM_BOARDS = ["checkerboard", "eight_gaussians"]


def fm_models(sets, objectives=FM_OBJECTIVES, seeds=SEEDS):
    nets = {data: FM_NET if data in FM_IMAGES else "mlp" for data in sets}
    return [
        retrace.model_path(LEVEL, data, nets[data], objective, seed)
        for data in sets
        for objective in objectives
        for seed in seeds
    ]


def fm_runs(experiment, sets, seeds=SEEDS):
    return [
        retrace.run_path(LEVEL, "flow_matching", experiment, data, seed)
        for data in sets
        for seed in seeds
    ]


# job, experiment, the sets it trains on
FM_TRAININGS = [
    ("train_2d", "train_2d", FM_BOARDS),
    *((f"train_{data}", "train_images", [data]) for data in FM_IMAGES),
]
# experiment: the sets it is run on, what it writes besides metrics.csv and run.json, the sets whose models it takes
FM_EVALUATIONS = {
    "exact_paths": (["default"], ["arrays.npz"], []),
    "gradients": (["default"], [], []),
    "toy_2d": (FM_BOARDS, ["arrays.npz"], FM_BOARDS),
    "table1": (FM_IMAGES, ["samples.npz"], FM_IMAGES),
    "solver_error": (FM_IMAGES, [], FM_IMAGES),
    "during_training": (FM_IMAGES, [], FM_IMAGES),
    "upsampling": (FM_UPSAMPLED, ["arrays.npz"], []),
}
# the feature network is one for all seeds: distances of different seeds must share their yardstick
FM_FEATURES = {
    data: FEATURES.format(data=data, seed=0) for data in [*FM_IMAGES, *FM_UPSAMPLED]
}

RUNS["flow_matching"] = [
    *fm_models([*FM_BOARDS, *FM_IMAGES]),
    *FM_FEATURES.values(),
    *[
        run
        for name, (sets, _, _) in FM_EVALUATIONS.items()
        for run in fm_runs(name, sets)
    ],
]

for name, experiment, sets in FM_TRAININGS:
    for part in retrace.parts(LEVEL, SEEDS, FM_OBJECTIVES):

        rule:
            name:
                f"flow_matching_{name}{part.tag}"
            input:
                code=retrace.job_sources(FM, experiment),
            output:
                expand(
                    "{run}/{file}",
                    run=fm_models(sets, part.names, part.seeds),
                    file=[
                        "metrics.csv",
                        "run.json",
                        "arrays.npz",
                        "weights.safetensors",
                    ],
                ),
            log:
                f"{RESULTS}/logs/flow_matching/{name}{part.tag}.log",
            benchmark:
                f"{RESULTS}/benchmarks/flow_matching/{name}{part.tag}.tsv"
            priority: 10
            conda:
                ENVIRONMENT
            threads: 1
            resources:
                gpu=GPU,
                runtime=MINUTES,
                mem_mb=MEMORY,
            params:
                settings=retrace.raw_settings(FM, experiment, LEVEL),
                job=retrace.job(
                    FM,
                    experiment,
                    config,
                    seeds=part.seeds,
                    sweep={"data": sets, "objective": part.names},
                ),
            message:
                f"flow matching: {name}{part.tag}"
            shell:
                RUN_JOB


for experiment, (sets, files, models) in FM_EVALUATIONS.items():
    for part in retrace.parts(LEVEL, SEEDS):

        rule:
            name:
                f"flow_matching_{experiment}{part.tag}"
            input:
                code=retrace.job_sources(FM, experiment),
                features=expand(
                    "{run}/weights.safetensors",
                    run=[FM_FEATURES[data] for data in sets if data in FM_FEATURES],
                ),
                models=expand(
                    "{run}/{file}",
                    run=fm_models(models, seeds=part.seeds),
                    file=["run.json", "weights.safetensors"],
                ),
            output:
                expand(
                    "{run}/{file}",
                    run=fm_runs(experiment, sets, part.seeds),
                    file=["metrics.csv", "run.json", *files],
                ),
            log:
                f"{RESULTS}/logs/flow_matching/{experiment}{part.tag}.log",
            benchmark:
                f"{RESULTS}/benchmarks/flow_matching/{experiment}{part.tag}.tsv"
            conda:
                ENVIRONMENT
            threads: 1
            resources:
                gpu=0 if sets == ["default"] else GPU,
                runtime=MINUTES,
                mem_mb=MEMORY,
            params:
                settings=retrace.raw_settings(FM, experiment, LEVEL),
                job=retrace.job(
                    FM,
                    experiment,
                    config,
                    seeds=part.seeds,
                    sweep={} if sets == ["default"] else {"data": sets},
                ),
            message:
                f"flow matching: {experiment}{part.tag}"
            shell:
                RUN_JOB
