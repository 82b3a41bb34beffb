# Two commands for a fresh machine: `make report` and `make test`. Everything else is Snakemake's business.
PYTHON ?= python3
LEVEL ?= laptop
CORES ?= all
VENV := .venv
STAMP := $(VENV)/.installed
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help report check register test setup lint lock mutants notebooks jupyter

help: ## show this text
	@echo "Retrace: seven papers on continuous-time generative modelling, re-run and judged claim by claim."
	@echo
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20
	@echo
	@echo "Variables: LEVEL=smoke|laptop|gpu|paper (now $(LEVEL))   CORES=all|N (now $(CORES))   PYTHON=python3.12"

report: setup ## run every replication at LEVEL and build the report
	@snakemake --cores $(CORES) --config level=$(LEVEL)
	@echo "Report: $(CURDIR)/report/build/$(LEVEL)/index.html"

check: setup ## is mine right? compare the run at LEVEL with the committed reference, claim by claim
	@python -m report check --level $(LEVEL) $(ARGS)

register: setup ## write down what the claims are judged by; before the run, with a base seed that no run ever used
	@python -m replications register $(ARGS)

test: setup ## run the test suite
	@python -m pytest

lint: setup ## check style, layers and workflow
	ruff check . && ruff format --check . && snakefmt --check Snakefile common replications report && lint-imports
	snakemake --lint

notebooks: setup ## make notebooks/<paper>/student.ipynb and solution.ipynb of the walkthroughs
	@python -m replications notebooks $(ARGS)

jupyter: notebooks ## open the notebooks in Jupyter, which is put into .venv if it is missing
	@python -c 'import notebook' 2>/dev/null || pip install --quiet --disable-pip-version-check \
	  $$(python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["notebooks"])')
	@jupyter notebook notebooks

mutants: setup ## plant mistakes and see that the tests notice (by hand, about 15 minutes)
	@python tests/mutants.py

setup: $(STAMP) ## create .venv from requirements.lock (report and test do this by themselves)

$(STAMP): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Retrace needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 ..."; exit 1; }
	@test -x $(VENV)/bin/pip || $(PYTHON) -m venv $(VENV) || { \
	  echo "Could not create $(VENV). On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }
	@echo "Installing the locked packages into $(VENV) (about 6 GB on Linux, once) ..."
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $(STAMP)

lock: ## regenerate requirements.lock and environment.yml from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --group dev --universal --generate-hashes --python-version 3.11 \
	  --no-emit-index-url --custom-compile-command "make lock" --quiet -o requirements.lock
	$(PYTHON) .ci/environment.py
