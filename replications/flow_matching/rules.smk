# Jobs of flow matching. A model is trained once and kept under a key that names no paper.

FM = "replications.flow_matching"
FM_OBJECTIVES = retrace.raw_settings(FM, "table1", LEVEL)["objectives"]
FM_IMAGES = [retrace.raw_settings(FM, "table1", LEVEL)["data"]]
FM_IMAGE_NET = retrace.raw_settings(FM, "train_images", LEVEL)["backbone"]["kind"]
FM_BOARDS = ["checkerboard", "eight_gaussians"]
FM_RESULTS = f"{RESULTS}/flow_matching"
FM_MODEL = f"{RESULTS}/models/{{data}}-{{net}}-{{objective}}/seed{{{{seed}}}}/{{file}}"
MODEL_FILES = ["metrics.csv", "run.json", "arrays.npz", "weights.safetensors"]
RUNS["flow_matching"] = [
    *expand(
        f"{RESULTS}/models/{{data}}-mlp-{{objective}}/seed{{seed}}",
        data=FM_BOARDS,
        objective=FM_OBJECTIVES,
        seed=SEEDS,
    ),
    *expand(
        f"{RESULTS}/models/{{data}}-{FM_IMAGE_NET}-{{objective}}/seed{{seed}}",
        data=FM_IMAGES,
        objective=FM_OBJECTIVES,
        seed=SEEDS,
    ),
    *expand(FEATURES, data=FM_IMAGES, seed=0),
    *expand(f"{FM_RESULTS}/exact_paths/default/seed{{seed}}", seed=SEEDS),
    *expand(f"{FM_RESULTS}/toy_2d/{{data}}/seed{{seed}}", data=FM_BOARDS, seed=SEEDS),
    *expand(
        f"{FM_RESULTS}/{{name}}/{{data}}/seed{{seed}}",
        name=["table1", "solver_error"],
        data=FM_IMAGES,
        seed=SEEDS,
    ),
]


for objectives in retrace.batches(FM_OBJECTIVES, LEVEL):

    rule:
        name:
            f"flow_matching_train_2d_{'_'.join(objectives)}"
        input:
            code=retrace.job_sources(FM, "train_2d"),
        output:
            expand(
                FM_MODEL,
                data=FM_BOARDS,
                net="mlp",
                objective=objectives,
                file=MODEL_FILES,
            ),
        log:
            f"{RESULTS}/logs/flow_matching/train_2d-{'-'.join(objectives)}-seed{{seed}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/flow_matching/train_2d-{'-'.join(objectives)}-seed{{seed}}.tsv"
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            gpu=GPU,
            runtime=MINUTES,
            mem_mb=4000,
        params:
            settings=retrace.raw_settings(FM, "train_2d", LEVEL),
        message:
            "flow matching: train 2-D densities, seed {wildcards.seed}"
        shell:
            retrace.job(
                FM,
                "train_2d",
                config,
                sweep={"data": FM_BOARDS, "objective": objectives},
            )

    rule:
        name:
            f"flow_matching_train_images_{'_'.join(objectives)}"
        input:
            code=retrace.job_sources(FM, "train_images"),
        output:
            expand(
                FM_MODEL,
                data=FM_IMAGES,
                net=FM_IMAGE_NET,
                objective=objectives,
                file=MODEL_FILES,
            ),
        log:
            f"{RESULTS}/logs/flow_matching/train_images-{'-'.join(objectives)}-seed{{seed}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/flow_matching/train_images-{'-'.join(objectives)}-seed{{seed}}.tsv"
        conda:
            ENVIRONMENT
        threads: 1
        resources:
            gpu=GPU,
            runtime=MINUTES,
            mem_mb=8000,
        params:
            settings=retrace.raw_settings(FM, "train_images", LEVEL),
        message:
            "flow matching: train images, seed {wildcards.seed}"
        shell:
            retrace.job(
                FM,
                "train_images",
                config,
                sweep={"data": FM_IMAGES, "objective": objectives},
            )


rule flow_matching_exact_paths:
    input:
        code=retrace.job_sources(FM, "exact_paths"),
    output:
        expand(
            f"{FM_RESULTS}/exact_paths/default/seed{{seed}}/{{file}}",
            seed=SEEDS,
            file=["metrics.csv", "arrays.npz", "run.json"],
        ),
    log:
        f"{RESULTS}/logs/flow_matching/exact_paths.log",
    benchmark:
        f"{RESULTS}/benchmarks/flow_matching/exact_paths.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        runtime=MINUTES,
        mem_mb=4000,
    params:
        settings=retrace.raw_settings(FM, "exact_paths", LEVEL),
    message:
        "flow matching: exact paths"
    shell:
        retrace.job(FM, "exact_paths", config, seeds=" ".join(map(str, SEEDS)))


rule flow_matching_toy_2d:
    input:
        code=retrace.job_sources(FM, "toy_2d"),
        models=expand(
            FM_MODEL,
            data=FM_BOARDS,
            net="mlp",
            objective=FM_OBJECTIVES,
            file=["run.json", "weights.safetensors"],
        ),
    output:
        expand(
            f"{FM_RESULTS}/toy_2d/{{data}}/seed{{{{seed}}}}/{{file}}",
            data=FM_BOARDS,
            file=["metrics.csv", "arrays.npz", "run.json"],
        ),
    log:
        f"{RESULTS}/logs/flow_matching/toy_2d-seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/flow_matching/toy_2d-seed{{seed}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        gpu=GPU,
        runtime=MINUTES,
        mem_mb=4000,
    params:
        settings=retrace.raw_settings(FM, "toy_2d", LEVEL),
    message:
        "flow matching: evaluate 2-D densities, seed {wildcards.seed}"
    shell:
        retrace.job(FM, "toy_2d", config, sweep={"data": FM_BOARDS})


# The feature network is one for all seeds: distances of different seeds must share their yardstick.
rule flow_matching_table1:
    input:
        code=retrace.job_sources(FM, "table1"),
        features=expand(f"{FEATURES}/weights.safetensors", data=FM_IMAGES, seed=0),
        models=expand(
            FM_MODEL,
            data=FM_IMAGES,
            net=FM_IMAGE_NET,
            objective=FM_OBJECTIVES,
            file=["run.json", "weights.safetensors"],
        ),
    output:
        expand(
            f"{FM_RESULTS}/table1/{{data}}/seed{{{{seed}}}}/{{file}}",
            data=FM_IMAGES,
            file=["metrics.csv", "samples.npz", "run.json"],
        ),
    log:
        f"{RESULTS}/logs/flow_matching/table1-seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/flow_matching/table1-seed{{seed}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        gpu=GPU,
        runtime=MINUTES,
        mem_mb=8000,
    params:
        settings=retrace.raw_settings(FM, "table1", LEVEL),
    message:
        "flow matching: Table 1, seed {wildcards.seed}"
    shell:
        retrace.job(FM, "table1", config, sweep={"data": FM_IMAGES})


rule flow_matching_solver_error:
    input:
        code=retrace.job_sources(FM, "solver_error"),
        features=expand(f"{FEATURES}/weights.safetensors", data=FM_IMAGES, seed=0),
        models=expand(
            FM_MODEL,
            data=FM_IMAGES,
            net=FM_IMAGE_NET,
            objective=FM_OBJECTIVES,
            file=["run.json", "weights.safetensors"],
        ),
    output:
        expand(
            f"{FM_RESULTS}/solver_error/{{data}}/seed{{{{seed}}}}/{{file}}",
            data=FM_IMAGES,
            file=["metrics.csv", "run.json"],
        ),
    log:
        f"{RESULTS}/logs/flow_matching/solver_error-seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/flow_matching/solver_error-seed{{seed}}.tsv"
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        gpu=GPU,
        runtime=MINUTES,
        mem_mb=8000,
    params:
        settings=retrace.raw_settings(FM, "solver_error", LEVEL),
    message:
        "flow matching: solver error, seed {wildcards.seed}"
    shell:
        retrace.job(FM, "solver_error", config, sweep={"data": FM_IMAGES})
