# One rule, filled from every paper's jobs.yaml. What a loop puts into a rule is evaluated at once, except what `shell`, a lambda or
# a `run:` block hold: those are read when a job starts, with the last job's values. So the command is a param and `shell` constant.

ENVIRONMENT = workflow.source_path("../environment.yml")
RESULTS = f"{retrace.RESULTS}/{LEVEL}"
# a change of GPUs, as of threads, is no reason to make anew what is there: so neither is in the params
RUN_JOB = "{params.job} --threads {threads} --gpus {resources.gpu} --wait > {log} 2>&1"
PAPERS = retrace.papers()
JOBS = retrace.plan(PAPERS, config)
RUNS = retrace.runs_by_paper(PAPERS, JOBS)

if workflow.is_main_process:
    retrace.age_failed(JOBS)
    if retrace.free_stale_lock(Path(".snakemake")):
        print(
            "the last call was killed: its lock is freed, and its runs go on",
            file=sys.stderr,
        )

for job in JOBS:

    rule:
        name:
            job.name
        input:
            **job.inputs,
        output:
            # not removed before the job: a run that fails leaves what an earlier one finished
            [update(file) for file in job.outputs],
        log:
            job.log,
        benchmark:
            job.benchmark
        priority: job.priority
        conda:
            ENVIRONMENT
        threads: max(1, job.resources["gpu"])
        resources:
            **job.resources,
        params:
            settings=job.settings,
            job=job.command,
        message:
            job.name
        shell:
            RUN_JOB
