# make demo: set up and run the main job on real showers; make test: set up and pass the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test loops test-slow test-device test-lowest lint docs clean

demo: $(STAMP)
	$(BIN)/calokit demo

test: $(STAMP)
	$(MAKE) --no-print-directory --jobs 2 lint loops
	$(BIN)/pytest -n auto -m "not slow"

# Two tests that compile the cascade's loops, which are kept on disk: the processes of `make test` would do it
# side by side, each for itself.
CASCADE := tests/models/cascade
loops: $(STAMP)
	$(BIN)/pytest -q $(CASCADE)/test_cascade_compiled.py::test_a_shipped_bundle_gives_the_same_showers \
	  $(CASCADE)/test_cascade_given.py::test_training_without_numba_takes_the_same_steps

test-slow: $(STAMP)
	$(BIN)/pytest -m slow

test-device: $(STAMP)
	$(BIN)/pytest -m device tests/compute
	$(BIN)/python -m benchmarks.speed.device_speed

# The lowest versions that pyproject.toml allows, in an environment of their own. torch is the one that
# `make test` installs, as the index has no older build without CUDA: LOWEST_TORCH="torch==2.11.0" asks for another.
# The golden help texts are those of the pinned typer.
LOWEST := .venv-lowest
LOWEST_TORCH ?= -c constraints.txt torch
test-lowest:
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet uv $(LOWEST_TORCH)
	$(LOWEST)/bin/python -m pip freeze | grep '^torch==' > $(LOWEST)/torch.txt
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST) --resolution lowest-direct \
	  --override $(LOWEST)/torch.txt $(addprefix --find-links ,$(PIP_FIND_LINKS)) \
	  -e ".[dask,fast,geant4,root]" --group dev
	$(LOWEST)/bin/pytest -n auto -m "not slow" --deselect tests/test_public_names.py::test_help_of_every_command

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(STAMP)
	$(BIN)/python -m pip install --quiet -c constraints.txt --group docs
	$(BIN)/pdoc calokit --output-directory docs/_build --docformat google

clean:
	rm -rf $(VENV) $(LOWEST)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "calokit needs Python 3.11 or newer; say make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-compile --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --no-compile -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --no-compile -c constraints.txt -e ".[dask,fast,geant4,root]" --group dev
	touch $(STAMP)
