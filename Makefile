# Everything Admix does from a fresh checkout. `make` alone lists it; nothing is installed by hand.

PYTHON   ?=
VENV     ?= .venv
TORCH    ?=
HOME_DIR ?= data/home
PORT     ?= 8501
ARGS     ?=

PY  := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check install
UV  := uv==0.13.8

.DEFAULT_GOAL := help
.PHONY: help run test slow check bench ray clean runtime with-ray dev venv install-runtime install-ray \
  install-dev

help:
	@echo 'make run      start Admix with a demo project, at http://127.0.0.1:$(PORT)'
	@echo 'make test     run the tests, in a browser too'
	@echo 'make slow     run the tests that take longest, which make test leaves out'
	@echo 'make check    look at style, types and layers; changes nothing'
	@echo 'make bench    run every benchmark'
	@echo 'make ray      run a Ray cluster of two nodes on this machine, to try one; Ctrl-C stops it'
	@echo 'make clean    remove caches; never $(VENV) and never your data'
	@echo
	@echo 'Put these behind it where you want something else:'
	@echo '  TORCH=cpu       take torch without CUDA: on Linux without an NVIDIA card, saves several GB'
	@echo '  HOME_DIR=...    keep the database and files elsewhere than in $(HOME_DIR)'
	@echo '  PORT=...        another port'
	@echo '  ARGS="..."      more arguments for streamlit (run) or pytest (test)'
	@echo '  PYTHON=...      make $(VENV) from this Python, 3.11 or newer'
	@echo '  VENV=...        keep the Python packages elsewhere than in $(VENV)'

run: export ADMIX_HOME = $(HOME_DIR)
run: runtime
	@$(PY) -m core --home "$(HOME_DIR)" demo
	@$(PY) -m streamlit run app.py --server.port $(PORT) $(ARGS)

# Three files at a time, since some tests wait and those of a file share what they set up; then those
# that drive a browser, two files at a time.
test: HALVES = '-m "not browser and not slow" -n 3' '-m "browser and not slow" -n 2'
test: dev
	$(RUN_HALVES)

# What takes longest: clusters that lose nodes, trees of prompts that are killed, many rows, a crowd.
slow: HALVES = '-m slow -n 2'
slow: dev
	$(RUN_HALVES)

# pytest gives 5 where ARGS leaves a half without tests.
define RUN_HALVES
@ADMIX_CHROMIUM=$$($(PY) tests/chromium.py) && export ADMIX_CHROMIUM || exit 1; \
status=0; \
for half in $(HALVES); do \
  eval "$(PY) -m pytest --dist loadfile $$half $(ARGS)"; code=$$?; \
  [ $$code = 0 ] || [ $$code = 5 ] || status=$$code; \
done; exit $$status
endef

check: dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy core
	$(VENV)/bin/lint-imports

bench: runtime
	@for file in benchmarks/*.py; do echo "== $$file"; $(PY) "$$file" || exit 1; done

ray: with-ray
	@$(PY) -m tests.ray_nodes

clean:
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
	@echo 'Caches are gone. $(VENV) and $(HOME_DIR) are as they were; to install anew, remove $(VENV).'

# The environment. Its stamps are copies of the requirements that are installed, so what counts
# is their content and not their date, and comparing them is all that a later `make` does.

runtime:
	@test -x $(PY) && cmp -s requirements.txt $(VENV)/requirements.txt \
	  || $(MAKE) --no-print-directory install-runtime

with-ray: runtime
	@cmp -s requirements-ray.txt $(VENV)/requirements-ray.txt \
	  || $(MAKE) --no-print-directory install-ray

dev: with-ray
	@cmp -s requirements-dev.txt $(VENV)/requirements-dev.txt \
	  || $(MAKE) --no-print-directory install-dev

install-runtime: venv
	@echo 'Installing what Admix needs into $(VENV). This is done once; later starts skip it.'
	@echo 'With a CPU build of torch it is 0.5 GB to download and about 2 GB on disk.'
	@if [ "$$(uname)" = Linux ] && [ -z "$(TORCH)" ]; then \
	  echo 'The default torch on Linux brings CUDA with it, which is several GB more. If this machine'; \
	  echo 'has no NVIDIA card, press Ctrl-C and add TORCH=cpu, as in: make run TORCH=cpu'; \
	fi
	@echo '1 of 2: torch'
	@$(PIP) $(if $(TORCH),--index-url https://download.pytorch.org/whl/$(TORCH)) \
	  "$$(grep '^torch==' requirements.txt)"
	@echo '2 of 2: everything else'
	@$(call install,requirements.txt)
	@cp requirements.txt $(VENV)/requirements.txt
	@echo 'Installed.'

install-ray: venv
	@echo 'Installing Ray into $(VENV), once: 0.1 GB to download, 0.2 GB on disk.'
	@$(call install,requirements-ray.txt)
	@cp requirements-ray.txt $(VENV)/requirements-ray.txt
	@echo 'Installed.'

install-dev: venv
	@echo 'Installing the tools for tests and checks into $(VENV), once: 0.1 GB to download, 0.3 GB on disk.'
	@$(call install,requirements-dev.txt)
	@cp requirements-dev.txt $(VENV)/requirements-dev.txt
	@echo 'Installed.'

# uv takes seconds where pip takes a minute; where uv cannot reach the packages, pip often can,
# because mirrors and certificates are usually told to pip only.
install = { $(PIP) -q $(UV) && $(PY) -m uv pip install -q --python $(PY) -r $(1); } \
	  || { echo 'uv could not install this; pip does, which takes a few minutes.'; $(PIP) -q -r $(1); }

venv:
	@if [ -e $(VENV)/pyvenv.cfg ] && ! $(PY) -c '$(NEW_ENOUGH)' 2>/dev/null; then \
	  echo 'The Python in $(VENV) is gone or older than 3.11: remove the folder $(VENV) and run make again.'; \
	  exit 1; \
	fi
	@$(PY) -m pip --version >/dev/null 2>&1 || { \
	  for python in $(PYTHONS); do \
	    if $$python -c '$(NEW_ENOUGH)' 2>/dev/null; then found=$$python; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo 'Admix needs Python 3.11 or newer and found none as: $(PYTHONS).'; \
	    echo 'Install it (Debian, Ubuntu: apt install python3.11 python3.11-venv; macOS: brew install'; \
	    echo 'python@3.11), or name one you have: make run PYTHON=/path/to/python3.11'; \
	    exit 1; \
	  fi; \
	  echo "Making $(VENV), a Python environment for Admix alone, from $$($$found --version)."; \
	  $$found -m venv $(VENV) || { \
	    echo "$$found has no venv module. On Debian and Ubuntu: apt install python3-venv"; exit 1; }; \
	}

PYTHONS = $(or $(PYTHON),python3.11 python3 python3.12 python3.13)
NEW_ENOUGH = import sys; sys.exit(sys.version_info < (3, 11))
