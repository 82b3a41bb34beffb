# What several papers take as an input.

ENVIRONMENT = workflow.source_path("../environment.yml")
RESULTS = f"{retrace.RESULTS}/{LEVEL}"
RUNS = (
    {}
)  # paper -> its run folders, with {seed} filled in; every paper's rules.smk adds its own
# A rule's command is in its params, which Snakemake reads when the rule is defined; what `shell` holds is read when a job
# starts, and the variables of a loop over rules have moved on by then.
RUN_JOB = "{params.job} --threads {threads} > {log} 2>&1"
# what one job may ask of a cluster at this level
GPU = 1 if LEVEL in ("gpu", "paper") else 0
MINUTES = {"smoke": 10, "laptop": 30, "gpu": 240, "paper": 2880}[LEVEL]
MEMORY = {"smoke": 8000, "laptop": 8000, "gpu": 16000, "paper": 64000}[LEVEL]
FEATURES = retrace.model_path(LEVEL, "{data}", "features", "classifier", "{seed}")


wildcard_constraints:
    seed=r"\d+",
    data=r"[a-z0-9_]+",


rule features:
    input:
        code=retrace.job_sources("common", "features"),
    output:
        multiext(f"{FEATURES}/", "metrics.csv", "run.json", "weights.safetensors"),
    log:
        f"{RESULTS}/logs/common/features-{{data}}-seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/common/features-{{data}}-seed{{seed}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        gpu=GPU,
        runtime=MINUTES,
        mem_mb=4000,
    params:
        settings=retrace.raw_settings("common", "features", LEVEL),
        job=retrace.job(
            "common",
            "features",
            config,
            seeds=["{seed}"],
            sweep={"data": ["{data}"]},
        ),
    message:
        "feature network on {wildcards.data}"
    shell:
        RUN_JOB
