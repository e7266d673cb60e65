# The road: make finetune convert deploy. Each target does what comes before it where that is not up to date.
CONFIG ?= configs/science.yaml
RUN ?=

BIN := .venv/bin
POCKETGEMMA := $(BIN)/pocketgemma
OPTIONS := --config $(CONFIG) $(if $(RUN),--run runs/$(RUN))
READY := .venv/.ready

STAGES := download prepare finetune merge convert verify bundle deploy
.PHONY: $(STAGES) all apk setup chat doctor test lint lock docs demo-data demo-base clean help
.DEFAULT_GOAL := help
.NOTPARALLEL:

help: ## Show what there is
	@echo "make finetune convert deploy   from the examples to a signed APK"
	@echo "CONFIG=configs/….yaml chooses another recipe, RUN=name another folder below runs/"
	@echo
	@grep -hE '^[a-z -]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14
	@echo "also: $(STAGES)"

$(STAGES): $(READY)
	@$(POCKETGEMMA) $@ $(OPTIONS)

all: deploy ## The whole road

apk: bundle ## The signed app; from source in a minute, once its model is made

setup: $(READY) ## Install what is missing: system packages and .venv

$(READY): requirements.lock pyproject.toml setup/system.sh setup/python.sh
	@setup/system.sh
	@setup/python.sh
	@touch $@

chat: $(READY) ## Talk to the converted model
	@$(POCKETGEMMA) chat $(OPTIONS)

doctor: $(READY) ## Look at this machine
	@$(POCKETGEMMA) doctor

test: $(READY) lint ## Check style and types, run all tests
	@$(BIN)/pytest

lint: $(READY)
	@$(BIN)/ruff check pipeline tests benchmarks
	@$(BIN)/ruff format --check --quiet pipeline tests benchmarks
	@$(BIN)/mypy

lock: ## Pin the newest versions that pyproject.toml allows
	@uv pip compile --quiet --universal --python-version 3.11 --all-extras --generate-hashes --no-emit-index-url \
	    --custom-compile-command 'make lock' --output-file requirements.lock pyproject.toml

docs: $(READY) ## Write docs/configuration.md from the schema of the recipes
	@$(BIN)/python -m pipeline.recipe.documentation

demo-data: $(READY) ## Make the embedded examples and tokenizer again
	@$(BIN)/python -m pipeline.demo.build data
	@$(BIN)/python -m pipeline.demo.build tokenizer

demo-base: $(READY) ## Train the embedded base again (some twenty minutes)
	@$(BIN)/python -m pipeline.demo.build base

clean: ## Remove runs and the app's build; keeps .venv
	@rm -rf runs android/build
