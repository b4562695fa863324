# make help lists what there is. Everything runs in .venv, which requirements.txt fills.

PYTHON ?= python3
PORT ?= 5000
SCORING_PORT ?= 5001
MODEL ?= fifteen-cifar100@champion
# Of the command line alone: some systems have a NAME in the environment.
STUDY := $(if $(filter command,$(origin NAME)),$(NAME))
BIN := .venv/bin
READY := .venv/.ready
ifneq ($(shell cat .venv/.ready 2>/dev/null),$(CURDIR))  # its programs know where they were made
.PHONY: $(READY)
endif
# Under another name, because `make -n` really runs each line that says $(MAKE).
AGAIN := $(MAKE)
export PATH := $(CURDIR)/$(BIN):$(PATH)
export DVC_NO_ANALYTICS := true
export MLFLOW_DISABLE_TELEMETRY := true

.PHONY: help run demo study test faults torture lint audit ui serve readme lock

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*  ## \(.*\)/  make \1\t\2/p' Makefile | expand -t 15

run: $(READY)  ## the whole pipeline on CIFAR-100; without it, the demo
	@$(BIN)/python src/prepare.py --check; status=$$?; \
	case $$status in \
		0) $(BIN)/dvc repro && $(BIN)/python src/promote.py && $(BIN)/python src/results.py ;; \
		3) echo "Running the demo on the bundled digits instead." && $(AGAIN) --no-print-directory demo ;; \
		*) exit $$status ;; \
	esac

demo: $(READY)  ## the whole pipeline on bundled digits, as a DVC experiment beside your workspace
	@$(BIN)/python src/demo.py

study: $(READY)  ## the studies; NAME=swift_ladder trains what is missing of one and shows its results
	@$(if $(STUDY),$(BIN)/dvc repro --quiet prepare && $(BIN)/python src/study.py run $(STUDY),$(BIN)/python src/study.py list)

test: $(READY)  ## the test suite
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

faults: $(READY)  ## kills, full disks, lost servers: a few of each
	$(BIN)/python -m pytest -m torture --numprocesses 2 --dist loadfile tests/pipeline

torture: $(READY)  ## for an hour: many of each, written to docs/reliability.md
	FIFTEEN_KILLS=8 FIFTEEN_EXPERIMENTS=12 FIFTEEN_RELIABILITY=docs/reliability.md \
		$(BIN)/python -m pytest -m torture tests/pipeline

lint: $(READY)  ## ruff, mypy and the order of packages, as the continuous integration checks them
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

audit: $(READY)  ## known vulnerabilities of the pinned packages; .ci/audit-allowed.txt lets some pass
	@$(BIN)/python .ci/audit.py

ui: $(READY)  ## the runs side by side in the MLflow UI on http://localhost:5000; PORT=... for another port
	@$(BIN)/python src/ui.py --port $(PORT)

serve: $(READY)  ## the champion answers at http://localhost:5001; MODEL=NAME@ALIAS for another one
	@$(BIN)/python src/serve.py $(MODEL) --port $(SCORING_PORT)

readme: $(READY)  ## write the results of README.md from reports/
	$(BIN)/python src/results.py --readme

lock: $(READY)  ## compile requirements.txt from pyproject.toml; pins that are there stay where they can
	$(BIN)/uv pip compile --universal --no-annotate --python-version 3.11 --quiet --all-extras \
		--custom-compile-command "make lock" --output-file requirements.txt pyproject.toml
	@echo "-e ." >> requirements.txt

$(READY): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else "fifteen needs Python 3.11 to 3.13; choose one with: make PYTHON=python3.11")'
	@echo "Installing into .venv: 3.5 GB, a few minutes where the network is fast."
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@echo "$(CURDIR)" > $(READY)
