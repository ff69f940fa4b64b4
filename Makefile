# Two commands do everything on a fresh machine: `make demo` and `make test`. The rest is for daily work.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
EXPERIMENT := experiments/baseline.toml
MODEL := models:/personal-credit@champion
# A person of the made city with something on record, to show reasons.
PERSON ?= S0002527
BUDGET := 720
# What `make report` renders, and where to.
NOTEBOOKS ?= notebooks/*.py
PAGES ?= reports/runs
# Options for JupyterLab, for example LAB="--no-browser --port 8890" on a machine without a screen.
LAB ?=

export MLFLOW_DISABLE_TELEMETRY := true
# A backend that is set would be a notebook's too, and its pictures would not be shown; the tests set their own.
unexport MPLBACKEND
# Two cores do not like four threads each.
export OPENBLAS_NUM_THREADS := 1

.DEFAULT_GOAL := help
.PHONY: help setup system demo test check lint types imports tests soak lab ui report clean

help: ## say what there is
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(INSTALLED) ## create .venv and install everything a modeller needs

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ". Name another one: make PYTHON=python3.12 setup")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing pinned packages into $(VENV) (once; one to three minutes) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[train,notebooks,spark,dev]"
	@touch $@

system: ## browser and Chinese font for the page tests, Java for the Spark tests, where apt may install them
	@missing=; \
	{ command -v chromium >/dev/null && fc-list :lang=zh 2>/dev/null | grep -q .; } || missing="chromium fonts-noto-cjk"; \
	command -v java >/dev/null || missing="$$missing default-jre-headless"; \
	if [ -z "$$missing" ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing with apt: $$missing ..."; \
	  (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing) >/dev/null 2>&1 \
	    || echo "apt could not install them; tests that need them will be listed as not run"; \
	else echo "missing, and apt may not be used here: $$missing; tests that need them will be listed as not run"; fi

demo: setup ## the main job: a made city, a card, its report, a champion, one person assessed
	@$(BIN)/credit-model run $(EXPERIMENT)
	@$(BIN)/credit-model promote latest --approver "demo approver"
	@$(BIN)/credit-model assess $(PERSON) --model $(MODEL) \
	  --ledger "$$(ls -dt $${CREDIT_MODEL_HOME:-.credit_model}/ledgers/city-R-100000-*-tier-*/ | head -n 1)"
	@echo
	@echo "The same on real public records: $(BIN)/credit-model run experiments/sf_restaurants.toml"

test: setup system ## set-up where missing, then all checks
	@$(MAKE) --no-print-directory check

check: setup ## lint, types, import rules, tests, with the time they took
	@start=$$(date +%s); \
	$(MAKE) --no-print-directory lint types imports tests || exit 1; \
	took=$$(( $$(date +%s) - start )); echo "checks took $$took s of a budget of $(BUDGET) s"; \
	[ $$took -le $(BUDGET) ] || { echo "over the budget: see the slowest tests above"; exit 1; }

lint: setup
	@$(BIN)/ruff check . && $(BIN)/ruff format --check --quiet . && echo "ruff: clean"

types: setup
	@$(BIN)/mypy

imports: setup
	@$(BIN)/lint-imports --no-logo 2>/dev/null || $(BIN)/lint-imports

tests: setup
	@$(BIN)/pytest -n 2 --durations=8

soak: setup system ## deep runs: tens of thousands of random ledgers, long property tests, the benchmarks with limits
	@$(BIN)/pytest --soak -m soak -s
	@$(BIN)/python benchmarks/record_monotone.py
	@$(BIN)/python benchmarks/made_city.py

# Its settings are the user's own; notebooks/.jupyter only adds that a double click on a script opens it as a notebook,
# and that no news is asked for.
lab: setup ## JupyterLab on the notebooks
	@export JUPYTER_CONFIG_PATH="$(CURDIR)/notebooks/.jupyter$${JUPYTER_CONFIG_PATH:+:$$JUPYTER_CONFIG_PATH}"; \
	exec $(BIN)/jupyter lab --notebook-dir=notebooks $(if $(filter 0,$(shell id -u)),--allow-root) $(LAB)

ui: setup ## MLflow's pages on the local store
	@$(BIN)/mlflow ui --backend-store-uri $${MLFLOW_TRACKING_URI:-sqlite:///mlflow.db} --host 127.0.0.1

report: setup ## notebooks as pages under reports/runs
	@mkdir -p $(PAGES)/notebooks
	@for n in $(NOTEBOOKS); do \
	  page=$(PAGES)/notebooks/$$(basename $${n%.py}); \
	  $(BIN)/jupytext --quiet --to ipynb --execute --output $$page.ipynb $$n \
	    && $(BIN)/jupyter nbconvert --log-level WARN --to html $$page.ipynb || exit 1; \
	done
	@ls $(PAGES)/notebooks/*.html

clean: ## remove what runs made (never the ledger files you ingested elsewhere)
	rm -rf .credit_model mlflow.db mlruns reports/runs data/generated
