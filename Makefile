# securexgb: everything that a fresh clone needs, and nothing twice.
#
#   make demo    set up, then train on bundled data: both parties here, no dealer
#   make test    set up, then every check: formats, lints, types, layers, all tests
#   make thorough   set up, then what takes hours: lowest versions, other interpreters, long
#                   fuzzing, faults, exports; writes docs/reliability.md. STEPS="faults exports"
#                   chooses some.
#   make benchmarks   set up, then measure everything and write their pages (over an hour)
#   make wheel   set up, then build dist/*.whl for any Linux on x86-64 from 2014 on and every
#                Python from 3.11 on: for machines without a compiler (docs/installation.md)
#   make proto   generate securexgb/_pb from proto/
#   make clean   remove what the above made
#
# PYTHON=python3.12 chooses the interpreter (3.11 or newer); PYTEST_ARGS go to pytest.

PYTHON ?= python3
PYTEST_ARGS ?=
STEPS ?=
DIST ?= dist

VENV ?= .venv
BIN := $(VENV)/bin
BUILD_INPUTS := pyproject.toml Cargo.toml Cargo.lock kernels/Cargo.toml $(wildcard kernels/src/*.rs kernels/src/*/*.rs)

.DEFAULT_GOAL := test
.DELETE_ON_ERROR:
.PHONY: demo benchmarks test thorough lint compiled kernels rust-lint python-lint rust-test python-test \
	wheel proto clean

# Tests start hundreds of processes, which would all compile the package's modules.
unexport PYTHONDONTWRITEBYTECODE

demo: $(VENV)/.installed
	$(BIN)/securexgb simulate --trees 20

# Two at a time: cargo builds the package while pip installs what it needs and mypy reads; then cargo
# checks the kernels beside the Python tests, which leave a core idle now and then.
test:
	$(MAKE) --jobs=2 --output-sync=target $(VENV)/.developer python-lint compiled
	$(MAKE) --jobs=2 python-test kernels

# What Python compiles once it imports it: all processes of the tests would do so at the same time.
compiled: $(VENV)/.dependencies
	$(BIN)/python -m compileall -q securexgb benchmarks
	$(BIN)/python -c 'import distributed, grpc, hypothesis.extra.numpy, matplotlib.pyplot, pandas, \
		pyarrow.parquet, scipy.stats, sklearn.utils.estimator_checks, xgboost'

kernels: rust-lint rust-test

lint: python-lint rust-lint

# In the profile of the wheel, so that what all of them need is compiled once; cargo lets in one at a
# time.
WITH_PYTHON := PYO3_PYTHON=$(CURDIR)/$(BIN)/python
rust-lint: $(VENV)/.developer
	cargo fmt --check
	$(WITH_PYTHON) cargo clippy --quiet --locked --release --all-targets -- -D warnings

python-lint: $(VENV)/.dependencies
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The dependencies are those of the wheel; the kernels stop at an overflow and at a broken
# assertion, and are compiled in a fifth of the time.
KERNELS := profile.release.package.securexgb-kernels
rust-test: $(VENV)/.developer
	$(WITH_PYTHON) cargo test --quiet --locked --release --lib \
		--config $(KERNELS).overflow-checks=true \
		--config $(KERNELS).debug-assertions=true --config $(KERNELS).opt-level=0 \
		--config $(KERNELS).codegen-units=16

python-test: $(VENV)/.developer
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal $(PYTEST_ARGS)

thorough: $(VENV)/.developer
	$(BIN)/python tests/thorough.py $(addprefix --only ,$(STEPS))

benchmarks: $(VENV)/.developer
	$(BIN)/python benchmarks/run.py

# Zig links against the glibc of manylinux2014, and maturin checks that it did. It looks for zig
# in the `python3` of the path.
wheel: $(VENV)/.created
	$(BIN)/python -m pip install --quiet "maturin>=1.8,<2" "ziglang>=0.13"
	PATH="$(abspath $(BIN)):$$PATH" maturin build --release --locked --zig --compatibility manylinux2014 --out $(DIST)

proto: $(VENV)/.developer
	$(BIN)/python -m securexgb._pb.generate

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "securexgb needs Python 3.11 or newer: make PYTHON=python3.12 ..." >&2; exit 1; }
	@command -v cargo >/dev/null \
		|| { echo "securexgb needs Rust 1.89 or newer: see https://rustup.rs" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=24"
	@touch $@

# The package is installed in place; pip builds the kernels in release mode. What is never imported
# need not be compiled: Python does it where it imports, which halves the time of an installation.
$(VENV)/.installed: $(VENV)/.created $(BUILD_INPUTS)
	$(BIN)/python -m pip install --quiet --no-compile --editable ".[oracle,report]"
	@touch $@

# All that the package needs, with every extra; the package itself is built meanwhile.
$(VENV)/.dependencies: $(VENV)/.created pyproject.toml
	@$(BIN)/python -c 'import tomllib; of = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
		needed = of["dependencies"] + sum(of["optional-dependencies"].values(), []); \
		print(*(one for one in needed if not one.startswith("securexgb[")), sep="\n")' > $@.txt
	$(BIN)/python -m pip install --quiet --no-compile --requirement $@.txt
	@touch $@

$(VENV)/.package: $(VENV)/.created $(BUILD_INPUTS)
	@$(BIN)/python -c 'import tomllib; of = tomllib.load(open("pyproject.toml", "rb")); \
		print(*of["build-system"]["requires"], sep="\n")' > $@.txt
	$(BIN)/python -m pip install --quiet --no-compile --requirement $@.txt
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pip install --quiet --no-deps \
		--no-build-isolation --editable .
	@touch $@

$(VENV)/.developer: $(VENV)/.dependencies $(VENV)/.package
	@touch $(VENV)/.installed $@

clean:
	rm -rf $(VENV) target $(DIST) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	rm -f securexgb/_kernels*.so
