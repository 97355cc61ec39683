# Every target makes .venv and installs what it needs by itself; the second time it is quick.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
OUT ?= runs
# processes that share the tests
JOBS ?= 2

# Idle OpenMP threads sleep instead of spinning: on a shared machine spinning costs many times the work itself.
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: help install demo test check bench docs studies clean
.DELETE_ON_ERROR:

help:
	@echo "make demo     audit a small example network and write a report card"
	@echo "make test     lint, types, layers and the default tests"
	@echo "make check    lint, types and layers only"
	@echo "make bench    our speed beside named peers and beside the floor"
	@echo "make docs     build the documentation into docs/_build/html"
	@echo "make studies  repeat the published experiments and the slow tests"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# torch is named first and bounded, so that pip takes the build that fits this machine before anything else asks for it.
$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(PIP) "torch>=2.6,<2.14"
	$(PIP) --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) --editable ".[dev]"
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(PIP) --editable ".[docs]"
	@touch $@

# The attack libraries declare packages that tie a torch build (torchvision, an old requests); they run without.
$(VENV)/.installed-bench: $(VENV)/.installed
	$(PIP) --editable ".[bench]"
	$(PIP) --no-deps torchattacks==3.5.1 foolbox==3.3.4 eagerpy==0.30.0 GitPython==3.2.1 gitdb==4.0.12 smmap==5.0.3 imagecorruptions-imaug==1.1.5 cmtj==1.15.0 \
	  pyautoattack==0.2.0 adversarial-robustness-toolbox==1.20.1 six==1.17.0 pyro-ppl==1.9.2 pyro-api==0.1.2 opt_einsum==3.4.0
	@touch $@

install: $(VENV)/.installed

demo: $(VENV)/.installed
	$(BIN)/holdfast audit --preset quick --out $(OUT)/demo --fresh

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/interrogate -q src

test: check
	$(BIN)/pytest -n $(JOBS)

bench: $(VENV)/.installed-bench
	@for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

docs: $(VENV)/.installed-docs
	$(BIN)/sphinx-build -W --keep-going -q docs docs/_build/html
	@echo docs/_build/html/index.html

studies: $(VENV)/.installed-dev
	@for study in spintronic-neuron spin-diode oscillator-binding bayesian-robustness transfer-attack; do \
	  $(BIN)/holdfast study run $$study --preset standard --out $(OUT)/$$study || test $$? -eq 1 || exit 1; done
	$(BIN)/pytest -m slow

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache docs/_build docs/gallery
