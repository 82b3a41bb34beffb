# Jobs of neural ODEs: Section 3 first, then flows (Section 4) and latent ODEs (Section 5).

NODE = "replications.neural_ode"
NODE_RESULTS = f"{RESULTS}/neural_ode"
RUNS["neural_ode"] = []


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
