# make demo | test | check | bench | docs | lock; each makes the environment first if there is none.
VENV := .venv
PY := $(VENV)/bin/python
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1
NAME ?= all

.PHONY: help setup demo test check format bench docs lock

help:
	@echo "make demo    see the whole job on real data (3 minutes from a fresh clone)"
	@echo "make test    the test suite (5 minutes on 2 cores)"
	@echo "make check   format, lint, types, arrows, docs"
	@echo "make bench   measure against the peers; NAME=poison|attacks|speed|clean|sources|power picks one"
	@echo "make docs    write docs/ from the code"
	@echo "make lock    pin the environment in constraints.txt"

$(VENV)/.stamp: pyproject.toml constraints.txt
	test -x $(PY) || python3 -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

setup: $(VENV)/.stamp

demo: $(VENV)/.stamp
	@$(ONE_THREAD) $(VENV)/bin/mithridate demo

test: $(VENV)/.stamp
	$(ONE_THREAD) $(PY) -m pytest -n 2 --dist worksteal

check: $(VENV)/.stamp
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(PY) tools/docs.py --check

format: $(VENV)/.stamp
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

bench: $(VENV)/.stamp
	$(PY) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps aegis-scan-ai==0.1.0  # its detectors need none
	$(ONE_THREAD) $(PY) benchmarks/run.py $(NAME)

docs: $(VENV)/.stamp
	$(PY) tools/docs.py

lock: $(VENV)/.stamp
	$(PY) tools/lock.py
