# Jobs of neural ODEs: Section 3 first, then flows (Section 4) and latent ODEs (Section 5).

NODE = "replications.neural_ode"
NODE_RESULTS = f"{RESULTS}/neural_ode"
RUNS["neural_ode"] = []

NODE_KINDS = ["resnet", "rk_net", "ode_net", "ode_net_tight"]
NODE_DATA = [retrace.raw_settings(NODE, "train_classifier", LEVEL)["data"]]
NODE_MODEL = f"{RESULTS}/models/{{data}}-{{kind}}-classifier/seed{{seed}}"
NODE_SOLVER_RUN = f"{NODE_RESULTS}/{{name}}/{{data}}/seed{{seed}}"
RUNS["neural_ode"] += expand(NODE_MODEL, data=NODE_DATA, kind=NODE_KINDS, seed=SEEDS)
RUNS["neural_ode"] += expand(
    NODE_SOLVER_RUN,
    name=["solver_control", "solver_practice"],
    data=NODE_DATA,
    seed=SEEDS,
)


for kinds in retrace.batches(NODE_KINDS, LEVEL):

    rule:
        name:
            f"neural_ode_train_classifier_{'_'.join(kinds)}"
        input:
            code=retrace.job_sources(NODE, "train_classifier"),
        output:
            expand(
                f"{NODE_MODEL}/{{file}}",
                data=NODE_DATA,
                kind=kinds,
                seed="{seed}",
                file=["metrics.csv", "run.json", "arrays.npz", "weights.safetensors"],
            ),
        log:
            f"{RESULTS}/logs/neural_ode/train_classifier-{'-'.join(kinds)}-seed{{seed}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/neural_ode/train_classifier-{'-'.join(kinds)}-seed{{seed}}.tsv"
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            gpu=GPU,
            runtime=MINUTES,
            mem_mb=4000,
        params:
            settings=retrace.raw_settings(NODE, "train_classifier", LEVEL),
        message:
            "neural ODE: train classifiers, seed {wildcards.seed}"
        shell:
            retrace.job(NODE, "train_classifier", config, sweep={"kind": kinds})


# All seeds in one process: each takes less than a minute.
for experiment in ["solver_control", "solver_practice"]:

    rule:
        name:
            f"neural_ode_{experiment}"
        input:
            code=retrace.job_sources(NODE, experiment),
            models=expand(
                f"{NODE_MODEL}/{{file}}",
                data=NODE_DATA,
                kind=["ode_net", "ode_net_tight"],
                seed=SEEDS,
                file=["run.json", "weights.safetensors"],
            ),
        output:
            expand(
                f"{NODE_SOLVER_RUN}/{{file}}",
                name=experiment,
                data=NODE_DATA,
                seed=SEEDS,
                file=["metrics.csv", "run.json"],
            ),
        log:
            f"{RESULTS}/logs/neural_ode/{experiment}.log",
        benchmark:
            f"{RESULTS}/benchmarks/neural_ode/{experiment}.tsv"
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            gpu=GPU,
            runtime=MINUTES,
            mem_mb=4000,
        params:
            settings=retrace.raw_settings(NODE, experiment, LEVEL),
        message:
            f"neural ODE: {experiment.replace('_', ' ')}"
        shell:
            retrace.job(NODE, experiment, config, seeds=" ".join(map(str, SEEDS)))


# Flows and latent ODEs: on a CPU all seeds of an experiment share a process, for each takes less than a minute.
NODE_FLOWS = [
    "change_of_variables",
    "density_matching",
    "maximum_likelihood",
    "latent_spirals",
    "poisson_events",
]
NODE_FLOW_RUN = f"{NODE_RESULTS}/{{name}}/default/seed{{seed}}"
RUNS["neural_ode"] += expand(NODE_FLOW_RUN, name=NODE_FLOWS, seed=SEEDS)


for experiment in NODE_FLOWS:

    for batch in retrace.batches([str(seed) for seed in SEEDS], LEVEL):

        rule:
            name:
                f"neural_ode_{experiment}_{'_'.join(batch)}"
            input:
                code=retrace.job_sources(NODE, experiment),
            output:
                expand(
                    f"{NODE_FLOW_RUN}/{{file}}",
                    name=experiment,
                    seed=batch,
                    file=["metrics.csv", "run.json"],
                ),
            log:
                f"{RESULTS}/logs/neural_ode/{experiment}-seed{'-'.join(batch)}.log",
            benchmark:
                f"{RESULTS}/benchmarks/neural_ode/{experiment}-seed{'-'.join(batch)}.tsv"
            conda:
                ENVIRONMENT
            threads: 1
            resources:
                gpu=GPU,
                runtime=MINUTES,
                mem_mb=4000,
            params:
                settings=retrace.raw_settings(NODE, experiment, LEVEL),
            message:
                f"neural ODE: {experiment}, seeds {' '.join(batch)}"
            shell:
                retrace.job(NODE, experiment, config, seeds=" ".join(batch))
