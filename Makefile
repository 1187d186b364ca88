# `make book` and `make test` set everything up by themselves. `make help` lists the rest.
PYTHON  ?= python3
VENV    := .venv
PY      ?= $(VENV)/bin/python
PROFILE ?= quick
CHAPTER ?= all
PORT    ?= 8000
JOBS    ?= 2

# An environment of your own (make book PY=python3) is used as it is; otherwise .venv is made once.
READY := $(if $(filter $(VENV)/%,$(PY)),$(VENV)/.ready)

# Tests that need neither the built book nor a browser nor the tools that write it.
QUICK := $(filter-out $(foreach name,benchmarks book_pages claims console drawings exercises house live% pages prose ray, \
	tests/test_$(name).py),$(wildcard tests/test_*.py))

.PHONY: help setup data book serve test quick pdf links lab student run bench claims address clean
.DEFAULT_GOAL := help

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-8s %s\n", $$1, $$2}' Makefile
	@echo "Options: PYTHON=python3 makes .venv; PY=python3 uses an environment you already have."

setup: $(READY)  ## the environment in .venv; done once

$(VENV)/.ready: requirements.txt pyproject.toml
	@echo "Setting up $(VENV). The first time this downloads several gigabytes, most of it PyTorch."
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install -r requirements.txt -e .
	@touch $@

data: $(READY)  ## MNIST, from torchvision's hosts (the chapters also fetch it themselves)
	$(PY) -m fftools data mnist

book: $(READY)  ## the pages, from the stored outputs: _build/html/index.html
	$(PY) tools/notebooks.py check
	$(PY) -c "from jupyter_book.cli.main import main; main()" build . --all -W --keep-going
	@test -f _build/html/index.html
	@echo "The book: $(CURDIR)/_build/html/index.html   (make serve shows it)"

serve: book  ## the pages at http://localhost:8000
	$(PY) -m http.server --directory _build/html $(PORT)

test: book  ## all tests, every chapter re-run and compared, JOBS=2 files at a time
	$(PY) -m pytest tests notebooks --nbval --nbval-current-env --nbval-sanitize-with tests/sanitize.cfg -v --durations 60 \
		--numprocesses $(JOBS) --dist loadscope

quick: $(READY)  ## the package's tests: no book, no browser, no chapter is run
	$(PY) -m pytest $(QUICK) --durations 10 --numprocesses $(JOBS) --dist loadscope

pdf: $(READY)  ## the whole book on paper: _build/pdf/book.pdf
	$(PY) -c "from jupyter_book.cli.main import main; main()" build . --all -W --keep-going --builder singlehtml
	$(PY) tools/browser.py pdf

links: $(READY)  ## ask every outside address of the pages whether it still answers (needs a network)
	$(PY) -c "from jupyter_book.cli.main import main; main()" build . --all --builder linkcheck

lab: $(READY)  ## JupyterLab on the chapters
	$(PY) -m jupyterlab notebooks

student: $(READY)  ## the chapters without their solutions: _build/student/, _build/nbgrader/
	$(PY) tools/student.py

run: $(READY)  ## re-execute in place: PROFILE=quick|full CHAPTER=02_fully_connected_ff|all
	$(PY) tools/notebooks.py run $(CHAPTER) --profile $(PROFILE)

bench: $(READY)  ## every benchmark
	@for file in benchmarks/*.py; do echo "== $$file"; $(PY) $$file || exit 1; done

claims: $(READY)  ## write what the records say into README.md, the front page and the page of claims
	$(PY) -m evidence claims --write

address: $(READY)  ## write pyproject.toml's repository address wherever it stands
	$(PY) tools/notebooks.py address

clean:  ## remove the built pages
	rm -rf _build
