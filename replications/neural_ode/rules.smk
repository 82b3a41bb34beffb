# Jobs of neural ODEs: classifiers and their solvers (Section 3), flows (Section 4), latent ODEs (Section 5).

NODE = "replications.neural_ode"
NODE_DATA = retrace.raw_settings(NODE, "train_classifier", LEVEL)["data"]
NODE_KINDS = ["resnet", "rk_net", "ode_net", "ode_net_tight"]
NODE_MEASURED = ["ode_net", "ode_net_tight"]
# experiment: the folder of its runs, the classifiers it takes
NODE_EXPERIMENTS = {
    "solver_control": (NODE_DATA, NODE_MEASURED),
    "solver_practice": (NODE_DATA, NODE_MEASURED),
    "change_of_variables": ("default", []),
    "density_matching": ("default", []),
    "maximum_likelihood": ("default", []),
    "latent_spirals": ("default", []),
    "poisson_events": ("default", []),
}


def node_models(kinds, seeds=SEEDS):
    return [
        retrace.model_path(LEVEL, NODE_DATA, kind, "classifier", seed)
        for kind in kinds
        for seed in seeds
    ]


def node_runs(experiment, seeds=SEEDS):
    folder = NODE_EXPERIMENTS[experiment][0]
    return [
        retrace.run_path(LEVEL, "neural_ode", experiment, folder, seed)
        for seed in seeds
    ]


RUNS["neural_ode"] = [
    *node_models(NODE_KINDS),
    *[run for experiment in NODE_EXPERIMENTS for run in node_runs(experiment)],
]

for part in retrace.parts(LEVEL, SEEDS, NODE_KINDS):

    rule:
        name:
            f"neural_ode_train_classifier{part.tag}"
        input:
            code=retrace.job_sources(NODE, "train_classifier"),
        output:
            expand(
                "{run}/{file}",
                run=node_models(part.names, part.seeds),
                file=["metrics.csv", "run.json", "arrays.npz", "weights.safetensors"],
            ),
        log:
            f"{RESULTS}/logs/neural_ode/train_classifier{part.tag}.log",
        benchmark:
            f"{RESULTS}/benchmarks/neural_ode/train_classifier{part.tag}.tsv"
        priority: 10
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            gpu=GPU,
            runtime=MINUTES,
            mem_mb=4000,
        params:
            settings=retrace.raw_settings(NODE, "train_classifier", LEVEL),
            job=retrace.job(
                NODE,
                "train_classifier",
                config,
                seeds=part.seeds,
                sweep={"kind": part.names},
            ),
        message:
            f"neural ODE: train_classifier{part.tag}"
        shell:
            RUN_JOB


for experiment, (_, kinds) in NODE_EXPERIMENTS.items():
    for part in retrace.parts(LEVEL, SEEDS):

        rule:
            name:
                f"neural_ode_{experiment}{part.tag}"
            input:
                code=retrace.job_sources(NODE, experiment),
                models=expand(
                    "{run}/{file}",
                    run=node_models(kinds, part.seeds),
                    file=["run.json", "weights.safetensors"],
                ),
            output:
                expand(
                    "{run}/{file}",
                    run=node_runs(experiment, part.seeds),
                    file=["metrics.csv", "run.json"],
                ),
            log:
                f"{RESULTS}/logs/neural_ode/{experiment}{part.tag}.log",
            benchmark:
                f"{RESULTS}/benchmarks/neural_ode/{experiment}{part.tag}.tsv"
            conda:
                ENVIRONMENT
            threads: 1
            resources:
                gpu=GPU,
                runtime=MINUTES,
                mem_mb=4000,
            params:
                settings=retrace.raw_settings(NODE, experiment, LEVEL),
                job=retrace.job(NODE, experiment, config, seeds=part.seeds),
            message:
                f"neural ODE: {experiment}{part.tag}"
            shell:
                RUN_JOB
