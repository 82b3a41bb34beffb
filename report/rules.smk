# The report: over all chosen papers, or over one of them (`snakemake flow_matching --cores`).

PLAN = f"{RESULTS}/runs.txt"
RUNS_CHOSEN = [folder for paper in CHOSEN for folder in RUNS[paper]]
REPORT = f"python -m report all --level {LEVEL} --results {retrace.RESULTS}"
WRITE_REPORT = (
    "printf '%s\\n' {params.runs} > {output.plan}; "
    "{params.job} --runs {output.plan} --out {params.folder} > {log} 2>&1"
)
REPORT_FILES = [f"report/{name}" for name in retrace.report_assets()]


rule report:
    input:
        runs=[f"{folder}/metrics.csv" for folder in RUNS_CHOSEN],
        papers=[f"replications/{paper}/paper.yaml" for paper in CHOSEN],
        code=retrace.report_sources(CHOSEN),
        files=REPORT_FILES,
    output:
        page=report(
            f"report/build/{LEVEL}/index.html",
            caption="captions/index.rst",
            category="Pages",
            labels={"page": "index"},
        ),
        metrics=report(
            f"{RESULTS}/metrics.csv",
            caption="captions/metrics.rst",
            category="Tables",
            labels={"table": "metrics"},
        ),
        claims=report(
            f"{RESULTS}/claims.csv",
            caption="captions/claims.rst",
            category="Tables",
            labels={"table": "claims"},
        ),
        plan=PLAN,
    log:
        f"{RESULTS}/logs/report.log",
    benchmark:
        f"{RESULTS}/benchmarks/report.tsv"
    localrule: True
    conda:
        ENVIRONMENT
    params:
        job=REPORT,
        runs=RUNS_CHOSEN,
        folder=subpath(output.page, parent=True),
    message:
        f"report on level {LEVEL}"
    shell:
        WRITE_REPORT


for paper in retrace.papers():

    rule:
        name:
            f"{paper}_report"
        input:
            runs=[f"{folder}/metrics.csv" for folder in RUNS[paper]],
            papers=f"replications/{paper}/paper.yaml",
            code=retrace.report_sources([paper]),
            files=REPORT_FILES,
        output:
            page=report(
                f"report/build/{LEVEL}/{paper}/index.html",
                caption="captions/paper.rst",
                category="Pages",
                labels={"page": paper},
            ),
            plan=f"{RESULTS}/{paper}/runs.txt",
        log:
            f"{RESULTS}/logs/report-{paper}.log",
        benchmark:
            f"{RESULTS}/benchmarks/report-{paper}.tsv"
        localrule: True
        conda:
            ENVIRONMENT
        params:
            job=f"{REPORT} --papers {paper}",
            runs=RUNS[paper],
            folder=subpath(output.page, parent=True),
        message:
            f"report on {paper}, level {LEVEL}"
        shell:
            WRITE_REPORT

    rule:
        name:
            paper
        input:
            f"report/build/{LEVEL}/{paper}/index.html",
            [f"{run}/metrics.csv" for run in RUNS[paper]],
