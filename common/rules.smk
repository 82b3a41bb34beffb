# What several papers take as an input, and the check that comes before everything.

ENVIRONMENT = workflow.source_path("../environment.yml")
RESULTS = f"{retrace.RESULTS}/{LEVEL}"
READY = f"{RESULTS}/ready"
RUNS = (
    {}
)  # paper -> its run folders, with {seed} filled in; every paper's rules.smk adds its own
# what one job may ask of a cluster at this level
GPU = 1 if LEVEL in ("gpu", "paper") else 0
MINUTES = {"smoke": 10, "laptop": 30, "gpu": 240, "paper": 2880}[LEVEL]
FEATURES = "{results}/models/{{data}}-features-classifier/seed{{seed}}".format(
    results=RESULTS
)


wildcard_constraints:
    seed=r"\d+",
    data=r"[a-z0-9_]+",
    objective=r"[a-z0-9_]+",


# Settings, claims, data and disk are looked at before any compute. Jobs wait for it but do not rerun after it (ancient).
rule check:
    input:
        settings=[
            f"{folder}/settings.yaml"
            for folder in ["common", *(f"replications/{p}" for p in retrace.papers())]
        ],
        papers=[f"replications/{paper}/paper.yaml" for paper in retrace.papers()],
    output:
        touch(READY),
    log:
        f"{RESULTS}/logs/check.log",
    benchmark:
        f"{RESULTS}/benchmarks/check.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    params:
        papers=CHOSEN,
    message:
        f"check settings, claims, data and disk of level {LEVEL}"
    shell:
        f"python -m replications check --level {LEVEL} --papers {{params.papers}} > {{log}} 2>&1"


rule features:
    input:
        ready=ancient(READY),
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
    message:
        "feature network on {wildcards.data}"
    shell:
        retrace.job("common", "features", config, sweep={"data": ["{wildcards.data}"]})
