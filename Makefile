# make demo: set up and run the main job on real showers; make test: set up and pass the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test test-slow test-device lint docs clean

demo: $(STAMP)
	$(BIN)/calokit demo

test: lint
	$(BIN)/pytest -n auto -m "not slow"

test-slow: $(STAMP)
	$(BIN)/pytest -m slow

test-device: $(STAMP)
	$(BIN)/pytest -m device tests/compute
	$(BIN)/python -m benchmarks.speed.device_speed

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(STAMP)
	$(BIN)/python -m pip install --quiet -c constraints.txt --group docs
	$(BIN)/pdoc calokit --output-directory docs/_build --docformat google

clean:
	rm -rf $(VENV)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "calokit needs Python 3.11 or newer; say make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet -c constraints.txt torch
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dask,geant4,root]" --group dev
	touch $(STAMP)
