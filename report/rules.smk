# The report: a page for each paper, and the first page above them. A paper's page asks for its own runs only, so it is drawn while
# other papers still compute, and an edit redraws one page.

PAGES = f"report/build/{LEVEL}"
REPORT_FILES = [f"report/{name}" for name in retrace.report_assets()]
RUNS_CHOSEN = list(dict.fromkeys(run for paper in CHOSEN for run in RUNS[paper]))
PLAN = f"{RESULTS}/runs.txt"
WRITE_PAGE = (
    "printf '%s\\n' {params.runs} > {output.plan}; "
    "{params.job} --runs {output.plan} --out {params.folder} > {log} 2>&1"
)

for paper in PAPERS:

    rule:
        name:
            f"{paper}_page"
        input:
            runs=[f"{run}/metrics.csv" for run in RUNS[paper]],
            claims=f"replications/{paper}/paper.yaml",
            code=retrace.report_sources([paper]),
            files=REPORT_FILES,
        output:
            page=report(
                f"{PAGES}/{paper}/index.html",
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
            job=retrace.page_job(paper, LEVEL, PAGES, workflow),
            runs=RUNS[paper],
            folder=subpath(output.page, ancestor=2),
        message:
            f"page of {paper}, level {LEVEL}"
        shell:
            WRITE_PAGE

    rule:
        name:
            paper
        input:
            f"{PAGES}/{paper}/index.html",
            [f"{run}/metrics.csv" for run in RUNS[paper]],


rule report:
    input:
        runs=[f"{run}/metrics.csv" for run in RUNS_CHOSEN],
        claims=[f"replications/{paper}/paper.yaml" for paper in CHOSEN],
        pages=[f"{PAGES}/{paper}/index.html" for paper in CHOSEN],
        code=retrace.report_sources(CHOSEN),
        files=REPORT_FILES,
    output:
        page=report(
            f"{PAGES}/index.html",
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
        job=f"python -m report index --level {LEVEL} --results {retrace.RESULTS} --papers {' '.join(CHOSEN)}",
        runs=RUNS_CHOSEN,
        folder=subpath(output.page, parent=True),
    message:
        f"first page, level {LEVEL}"
    shell:
        WRITE_PAGE
