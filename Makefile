# The door: every target makes its own environment first, so that a fresh clone needs only python3 >= 3.11 and make.
PYTHON ?= python3
STORM_POINTS ?= 100000
KILL_ROUNDS ?= 1000
STEP_SEEDS ?= 20
CLOCK_SEEDS ?= 60
OTHER_PYTHONS ?=
FUZZ_SECONDS ?= 1440

BIN := .venv/bin
READY := .venv/ready
PEERS := .venv/peers
PIP := -m pip install --quiet --quiet --disable-pip-version-check

.PHONY: demo test check style types contracts layers docs bench performance storm matrix plants fuzz flood real-days
.DELETE_ON_ERROR:

demo: $(READY)  ## a first look: a session of the real process in the terminal, without keys or network
	@$(BIN)/oracle demo

test: $(READY)  ## every test and every law
	@$(BIN)/pytest -n 2 --dist worksteal

check: style types contracts test  ## everything that must hold before a change is kept

style: $(READY)  ## format and lint
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: $(READY)  ## mypy, strict
	@$(BIN)/mypy

contracts: $(READY)  ## who may import whom
	@$(BIN)/lint-imports --no-logo

layers: $(READY)  ## give new modules their place in the reading order of .importlinter
	@$(BIN)/python -m tests.laws.layers

docs: $(READY)  ## the parts of the documents that follow from the code
	@$(BIN)/python docs/generate.py

bench: $(PEERS)/ready  ## pricing, cycles, alerts, journal and backtests on this machine, beside references and peers
	@$(BIN)/python benchmarks/performance.py bench

performance: $(PEERS)/ready  ## docs/performance.md: the same, memory, starts and a year, in some minutes
	@$(BIN)/python benchmarks/performance.py

storm: $(READY)  ## STORM_POINTS crash points, KILL_ROUNDS killed daemons, STEP_SEEDS storms of alerts, CLOCK_SEEDS of clocks, 2,000 examples a property
	@STORM_POINTS=$(STORM_POINTS) KILL_ROUNDS=$(KILL_ROUNDS) STEP_SEEDS=$(STEP_SEEDS) CLOCK_SEEDS=$(CLOCK_SEEDS) $(BIN)/pytest -n 2 --dist worksteal --hypothesis-profile=storm

matrix: $(READY)  ## the same journal in other versions of Python, and from recorded days in every environment
	@ORACLE_OTHER_PYTHONS="$(OTHER_PYTHONS)" $(BIN)/pytest tests/laws/matrix_long.py

plants: $(READY)  ## plant each known bug in a copy, see who finds it, write docs/planted-bugs.md
	@$(BIN)/python -m tests.planted

fuzz: $(READY)  ## FUZZ_SECONDS of coverage-guided fuzzing of everything strangers and files can say
	@$(BIN)/python $(PIP) --editable '.[fuzz]'
	@$(BIN)/python -m tests.fuzz $(FUZZ_SECONDS)

flood: $(READY)  ## 50,000 calls of strangers while 1,000 alerts pass
	@$(BIN)/python -m tests.floods

real-days: $(READY)  ## docs/real-days.md, from the recorded days in DATA
	@$(BIN)/python benchmarks/real_days.py $(DATA) > docs/real-days.md

$(READY): pyproject.toml
	@echo "making .venv, once: a minute or two" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python $(PIP) --editable '.[dev]'
	@touch $@

# An environment of their own: they ask for libraries that the product does not have.
$(PEERS)/ready: benchmarks/peers/requirements.txt $(READY)
	@echo "installing references and peers, once: some minutes" >&2
	@$(BIN)/python $(PIP) --editable '.[bench]'
	@test -x $(PEERS)/bin/python || $(BIN)/python -m venv $(PEERS)
	@while read -r peer; do $(PEERS)/bin/python $(PIP) "$$peer" || echo "$$peer does not install here" >&2; done < $<
	@touch $@
