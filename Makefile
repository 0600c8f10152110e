# make demo          make a few seconds of sound, from a fresh clone
# make test          all checks and tests
# make app           build "MLX Music.app" and its disk image, on a Mac
# make rehearse      build the app where there is no Mac, and look at what comes out (minutes)
# make bench         speed and memory of every stage on this machine (BENCH="--quantize speed")
# make sketch-score  does the built-in model do what its prompts say? (half an hour or so)
# make clean         remove what the other targets made
#
# Each target sets up what it needs: a virtual environment in .venv, the packages of
# pyproject.toml and, on Debian and Ubuntu as root, the system packages below.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# OpenBLAS makes MLX 30 to 70 times faster on a Linux CPU; without it everything works, slower.
# python3-venv is for Debian's own Python.
DEBIAN_PACKAGES := libopenblas0-pthread python3-venv

# The kernels' tests: g++, to run them where there is no GPU. The app's tests: Qt, a font, sound.
# With a screen of its own (xvfb) and a sound server (jackd2) they also drag files between programs
# and play in real time; without, they leave that out.
TEST_PACKAGES := g++ libegl1 libgl1 libxkbcommon0 libdbus-1-3 libfontconfig1 libgssapi-krb5-2 \
  libglib2.0-bin fonts-dejavu-core libportaudio2 xvfb xdotool jackd2 libxcb-cursor0 \
  libxcb-icccm4 libxcb-keysyms1 libxcb-image0 libxcb-render-util0 libxcb-randr0 \
  libxcb-shape0 libxcb-xkb1 libxkbcommon-x11-0

# The one that comes with macOS is older.
NEEDS_PYTHON = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
  echo "MLX Music needs Python 3.10 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1)." \
    "Name another with: make PYTHON=python3.12"; exit 1; }

.PHONY: demo test app rehearse bench sketch-score lint clean system
.DELETE_ON_ERROR:

demo: system $(VENV)/.engine
	$(BIN)/python -m tests.demo

test: DEBIAN_PACKAGES += $(TEST_PACKAGES)
test: system $(VENV)/.dev lint
	$(BIN)/python -m pytest

# Steps that are done already are passed over. Some of them alone: make app STEPS="sign verify"
app:
	@$(NEEDS_PYTHON)
	$(PYTHON) -m resources.packaging $(STEPS)

# For Linux, with Python 3.11 or 3.12. What it downloads stays in build/.
rehearse: DEBIAN_PACKAGES += $(TEST_PACKAGES)
rehearse: system $(VENV)/.dev
	$(BIN)/python -m pytest -m rehearsal tests/packaging/rehearsal

bench: system $(VENV)/.engine
	$(BIN)/mlx-music bench $(BENCH)

sketch-score: system $(VENV)/.sketch
	$(BIN)/python -m tests.benchmarks.sketch_score
	$(BIN)/python -m tests.benchmarks.sketch_reconstruction
	$(BIN)/python -m tests.benchmarks.sketch_pitch

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) build dist output *.egg-info .pytest_cache .mypy_cache .ruff_cache

$(VENV)/bin/python: | system
	@$(NEEDS_PYTHON)
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "No virtual environment could be made; on Debian: apt-get install python3-venv"; \
	  exit 1; }

$(VENV)/.engine: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

# torch, transformers and diffusers are only compared with, never used by the product.
$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev,compare]"
	@touch $@

$(VENV)/.sketch: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[sketch]"
	@touch $@

system:
	@if command -v dpkg-query >/dev/null 2>&1; then \
	  missing=""; \
	  for package in $(DEBIAN_PACKAGES); do \
	    dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q '^install ok' \
	      || missing="$$missing $$package"; \
	  done; \
	  if [ -n "$$missing" ]; then \
	    if [ "$$(id -u)" = 0 ]; then \
	      echo "installing$$missing"; \
	      { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y \
	          --no-install-recommends $$missing; } >/dev/null \
	        || echo "could not install$$missing; everything works without it, slower"; \
	    else \
	      echo "slower without system packages; as root: apt-get install$$missing"; \
	    fi; \
	  fi; \
	fi
