# What several papers take as an input, and the check that comes before everything.

ENVIRONMENT = workflow.source_path("../environment.yml")
READY = f"{retrace.RESULTS}/{LEVEL}/ready"
RUNS = {}  # paper -> run folders; every paper's rules.smk adds its own


# Settings, claims, data and disk are looked at before any compute. Jobs wait for it but do not rerun after it (ancient).
rule check:
    input:
        settings=[f"{folder}/settings.yaml" for folder in ["common", *(f"replications/{p}" for p in retrace.papers())]],
        papers=[f"replications/{paper}/paper.yaml" for paper in retrace.papers()],
    output:
        touch(READY),
    params:
        papers=CHOSEN,
    log:
        f"{retrace.RESULTS}/{LEVEL}/logs/check.log",
    benchmark:
        f"{retrace.RESULTS}/{LEVEL}/benchmarks/check.tsv"
    conda:
        ENVIRONMENT
    localrule: True
    shell:
        "python -m replications check --level {LEVEL} --papers {params.papers} > {log} 2>&1"
