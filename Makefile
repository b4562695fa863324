# make help lists what there is. Everything runs in .venv, which requirements.txt fills.

PYTHON ?= python3
PORT ?= 5000
READY := .venv/.ready
STORE := sqlite:///$(CURDIR)/mlruns/mlflow.db
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export DVC_NO_ANALYTICS := true
export MLFLOW_DISABLE_TELEMETRY := true

.PHONY: help run demo test lint ui readme lock

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*  ## \(.*\)/  make \1\t\2/p' Makefile | expand -t 14

run: $(READY)  ## the whole pipeline on CIFAR-100; without it, the demo
	@python src/prepare.py --check; status=$$?; \
	case $$status in \
		0) dvc repro && python src/results.py ;; \
		3) echo "Running the demo on the bundled digits instead." && $(MAKE) --no-print-directory demo ;; \
		*) exit $$status ;; \
	esac

demo: $(READY)  ## the whole pipeline on bundled digits, as a DVC experiment beside your workspace
	@if git diff --quiet HEAD && dvc exp list --name-only | grep -qw demo; then \
		echo "The demo has been run on this commit; these are its results."; \
	else \
		dvc exp remove --quiet demo 2>/dev/null; \
		dvc exp run --temp --name demo --set-param data.source=digits; \
	fi
	@python src/results.py --experiment demo

test: $(READY)  ## the test suite
	python -m pytest --numprocesses 2 --dist worksteal

lint: $(READY)  ## ruff, as the continuous integration runs it
	ruff check .
	ruff format --check .

ui: $(READY)  ## the MLflow UI on http://localhost:5000; PORT=... for another port
	@echo "Compare the runs at http://localhost:$(PORT)/#/experiments"
	@MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false mlflow ui --workers 1 --host 127.0.0.1 --port $(PORT) \
		--backend-store-uri "$${MLFLOW_TRACKING_URI:-$(STORE)}"

readme: $(READY)  ## write the results table of README.md from reports/metrics.json
	python src/results.py --readme

lock: $(READY)  ## compile requirements.txt from requirements.in
	uv pip compile --quiet --universal --no-annotate --no-header --python-version 3.11 \
		requirements.in --output-file requirements.txt
	sed -i '1i # Compiled from requirements.in by `make lock`; do not edit.' requirements.txt

$(READY): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else "fifteen needs Python 3.11 to 3.13; choose one with: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $(READY)
