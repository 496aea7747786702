# The two commands of the README are `make demo` and `make test`; both set themselves up in .venv on a fresh machine.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SOURCES := $(shell find src -type f -not -name '*.pyc') pyproject.toml README.md LICENSE

.PHONY: demo test examples lint types bench picture browser clean venv help

help:
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

# The wheel is what users get, so the wheel is what is tested: nothing here ever imports the checkout.
$(STAMP): $(SOURCES) constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "setting up $(VENV) …"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -U pip
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt build hatchling
	@rm -rf build/wheel && $(BIN)/python -m build -q --wheel --no-isolation -o build/wheel .
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt --group dev "$$(ls build/wheel/*.whl)[lab,boto3]"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --force-reinstall build/wheel/*.whl
	@touch $@

venv: $(STAMP)

demo: $(STAMP) ## an expired session dies, is diagnosed, fixed, and then never expires again
	@$(BIN)/python -m unexpire lab --demo

test: $(STAMP) ## everything that needs no more than PyPI
	@$(BIN)/python -m pytest -q -n 3 --dist worksteal -m "not examples and not browser and not conformance"

examples: $(STAMP) ## the bash examples of the reference's pages, with the AWS CLI, against the lab
	@$(BIN)/python -m pytest -q -n 3 --dist worksteal -m examples tests/reference

lint: $(STAMP) ## ruff and the import layers
	@$(BIN)/ruff check src tests benchmarks
	@$(BIN)/ruff format --check src tests benchmarks
	@$(BIN)/lint-imports

types: $(STAMP) ## mypy --strict
	@$(BIN)/mypy

bench: $(STAMP) ## speed, as ratios measured side by side in one run
	@$(BIN)/python benchmarks/run.py

picture: $(STAMP) ## draw docs/diagnosis.svg from the real output
	@$(BIN)/python docs/picture.py

conformance: $(STAMP) ## real SDKs through every door while their sessions end; installs what it needs below build/
	@$(BIN)/python tests/conformance/run.py $(if $(REPORT),--report $(REPORT))

browser: $(STAMP) ## Chromium drives the site and the dashboard; screenshots in build/browser/screenshots
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt --group browser
	@chromium=$$($(BIN)/python tests/browser/install.py) && \
		UNEXPIRE_CHROMIUM=$$chromium UNEXPIRE_SHOTS=build/browser $(BIN)/python -m pytest tests/browser

clean: ## remove what the other targets made
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
