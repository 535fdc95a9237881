# libflowworker: the commands of the project.
#
#   make run     build the library and run the Hello World workflow from C and from Python
#   make test    run every test that needs no engine; make engines-test runs the others
#
# Both install what they lack (make setup): Debian packages (when they can), and a virtual environment
# under build/. `make lib` builds the library and installs nothing. See CONTRIBUTING.md for the rest.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := lib

# The version numbers are in the header only.
VERSION := $(shell sed -n 's/^\#define FW_VERSION "\(.*\)"/\1/p' include/flowworker.h)
ABI := $(shell sed -n 's/^\#define FW_ABI_VERSION //p' include/flowworker.h)
PREFIX ?= /usr/local
DESTDIR ?=
LIBDIR ?= $(PREFIX)/lib
DOCDIR ?= $(PREFIX)/share/doc/flowworker

BUILD := build
LIB := $(BUILD)/lib
SONAME := libflowworker.so.$(ABI)
VENV := $(BUILD)/venv
PYTHON := $(VENV)/bin/python
HEADER := include/flowworker.h
SOURCES := $(shell find Sources include Package.swift -type f ! -name '.*')

# What a library for any host is built with: the Swift runtime inside (so that there is one file,
# and no signal handler of the runtime's), no search path of the build machine, and no check of
# exclusive access while it runs, whose answer would be to end the host (debug builds, which the
# Swift units and the sanitizers use, have it). All functions of other libraries are bound when it is loaded, so that the
# table of their addresses can be made read-only.
RELEASE := -c release --explicit-target-dependency-import-check error --disable-local-rpath -Xswiftc -static-stdlib -Xswiftc -use-ld=lld -Xlinker --gc-sections \
           -Xswiftc -enforce-exclusivity=unchecked -Xlinker -z -Xlinker now

.PHONY: lib wheel deb run abi abi-release packages-setup packages-test packages-test-all test test-swift test-c test-python test-documents \
        engines-test model soak test-soak test-faults faults peers-faulty environments bench bench-setup asan tsan ubsan sanitize valgrind mutants coverage \
        fuzz lint format docs install uninstall clean setup venv

# --- set-up ------------------------------------------------------------------------------------

PACKAGES := gcc g++ make cmake pkg-config libjansson-dev libcurl4-openssl-dev python3 python3-venv valgrind \
            abigail-tools tmux

# What is missing of the tools $(1) and of the C libraries, in the shell's variable `missing`.
FIND_MISSING = missing=""; for tool in $(1); do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	pkg-config --exists jansson 2>/dev/null || missing="$$missing libjansson-dev"; \
	pkg-config --exists libcurl 2>/dev/null || missing="$$missing libcurl4-openssl-dev"

# Installs the Debian packages $(1) if the shell's variable `missing` is not empty, so that it works without root as well.
INSTALL_MISSING = if [ -n "$$missing" ]; then \
	  echo "installing packages, because these are missing:$$missing"; \
	  if [ "$$(id -u)" = 0 ]; then apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(1) >/dev/null; \
	  elif command -v sudo >/dev/null; then sudo apt-get update -qq && sudo apt-get install -y -qq $(1) >/dev/null; \
	  else echo "no right to install: please install $(1)" >&2; exit 1; fi; \
	fi

setup:
	@$(call FIND_MISSING,gcc g++ cmake pkg-config python3 valgrind abidiff tmux); \
	python3 -c 'import venv, ensurepip' 2>/dev/null || missing="$$missing python3-venv"; \
	$(call INSTALL_MISSING,$(PACKAGES))
	@command -v swift >/dev/null || { echo "a Swift toolchain is needed, 6.3 or later: https://www.swift.org/install" >&2; exit 1; }

# These goals install what is missing before they build anything; other goals only report what is missing.
SETUP := $(if $(filter run abi abi-release test test-% engines-test lint sanitize,$(MAKECMDGOALS)),setup)

# Fails with one line that lists what a build of the library lacks.
REQUIRE = @$(call FIND_MISSING,swift gcc g++ pkg-config); [ -z "$$missing" ] || { echo "the library cannot be built here: \
	  missing$$missing (make setup installs what Debian has; for swift see https://www.swift.org/install)" | tr -s '\t ' ' ' >&2; exit 1; }

# CC is unset, because SwiftPM would use that compiler for the C targets in place of the toolchain's.
SWIFT := env -u CC -u CXX swift

venv: $(VENV)/.made
$(VENV)/.made: Tests/python-requirements.txt | $(SETUP)
	@python3 -c 'import venv, ensurepip' || { echo "missing python3-venv (make setup installs it)" >&2; exit 1; }
	python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r Tests/python-requirements.txt
	touch $@

$(VENV)/.lint: Tests/lint-requirements.txt | $(VENV)/.made
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r Tests/lint-requirements.txt
	touch $@

# --- the library -------------------------------------------------------------------------------

lib: $(LIB)/$(SONAME)
$(LIB)/$(SONAME): $(SOURCES) | $(SETUP)
	$(REQUIRE)
	$(SWIFT) build $(RELEASE) --product flowworker --scratch-path .build-release
	mkdir -p $(LIB)
	packaging/strip.sh .build-release/release/libflowworker.so $@
	ln -sf $(SONAME) $(LIB)/libflowworker.so

# The Debian packages of a library that is built, in build/deb.
DEB_PACKAGES := debhelper dh-python dpkg-dev lintian
deb: lib
	@missing=""; for tool in dh dh_python3 dpkg-buildpackage lintian; do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	$(call INSTALL_MISSING,$(DEB_PACKAGES))
	packaging/deb.sh $(LIB)/$(SONAME) $(BUILD)/deb

# The wheel of the Python package, for Linux on x86-64, in build/wheel/dist.
wheel: lib
	packaging/wheel/build.sh $(VERSION) $(RELEASE)

# The paths go through the environment, so that they may have spaces and quotes. A library that is there is installed
# where there is no toolchain, as with sudo, whose PATH has none.
install uninstall: export PREFIX := $(PREFIX)
install uninstall: export LIBDIR := $(LIBDIR)
install uninstall: export DOCDIR := $(DOCDIR)
install uninstall: export DESTDIR := $(DESTDIR)
install: $(if $(and $(wildcard $(LIB)/$(SONAME)),$(if $(shell command -v swift),,missing)),,lib)
	@bindings/c/install.sh install $(LIB)/$(SONAME) $(VERSION)
uninstall:
	@bindings/c/install.sh uninstall $(LIB)/$(SONAME) $(VERSION)

# --- the examples ------------------------------------------------------------------------------

run: lib venv | $(SETUP)
	mkdir -p $(BUILD)/examples $(BUILD)/run
	cc -std=c11 -Wall -Wextra -Werror -Iinclude examples/run.c -L$(LIB) -Wl,-rpath,'$$ORIGIN/../lib' -lflowworker -ljansson \
	  -o $(BUILD)/examples/run
	@echo; echo "== Hello World from a C host (examples/run.c)"; echo
	$(BUILD)/examples/run examples/helloworld $(BUILD)/run/c
	@echo; echo "== Hello World from a Python host (examples/run.py)"; echo
	PYTHONPATH=bindings/python $(PYTHON) examples/run.py examples/helloworld $(BUILD)/run/python

# --- tests -------------------------------------------------------------------------------------

test: abi test-swift test-c test-python test-faults test-documents model test-soak

# Compares the interface of the library with the one that is recorded in packaging/abi.
abi: lib venv
	packaging/abi/abi.py check $(LIB)/$(SONAME)
	$(PYTHON) -m pytest -q Tests/packages/test_abi.py Tests/packages/test_versions.py

# Records the interface of the header, for a release.
abi-release: | $(SETUP)
	packaging/abi/abi.py record

# The units run on a build whose C traps on undefined behaviour, which `make ubsan` uses as well.
test-swift: | $(SETUP)
	$(REQUIRE)
	$(SWIFT) test --disable-xctest $(UNDEFINED)

test-c: lib
	Tests/c/run.sh $(LIB)

test-python: lib venv
	$(PYTHON) -m pytest -q bindings/python/tests Tests/differential Tests/runner Tests/benchmarks Tests/environments

test-documents: lib venv docs
	$(PYTHON) -m pytest -q Tests/documents
	$(PYTHON) Tests/documents/run.py --lib $(LIB)
	$(PYTHON) Tests/documents/check_site.py $(SITE)
	$(PYTHON) Tests/documents/check_browser.py $(SITE)

# System calls and allocations of a library with a seam fail, one in each run (docs/internals/proof.md). The gate has a part,
# and `faults` all: CALL=recvmsg is one call.
CALL ?=
FAULTS = Tests/faults/build.sh && Tests/faults/symbols.sh && $(PYTHON) Tests/faults/faults.py
test-faults: lib venv
	$(FAULTS) --part gate

faults: lib venv
	$(FAULTS) --call "$(CALL)"

# The S3 server of the tests needs other versions of packages than the tests.
S3_VENV := $(BUILD)/engines/s3-venv
$(S3_VENV)/.made: Tests/engines/s3-requirements.txt | $(SETUP)
	python3 -m venv $(S3_VENV)
	$(S3_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r Tests/engines/s3-requirements.txt
	touch $@

# Runs the tests that need an engine, on private engines.
engines-test: lib venv $(S3_VENV)/.made
	Tests/engines/setup.sh
	PYTHON=$(abspath $(PYTHON)) Tests/engines/run.sh $(LIB)

# Every fault of every call of engines, storage, clusters and interpreters. `make test` has a part of it.
peers-faulty: lib venv
	$(PYTHON) bindings/python/tests/peers/faulty_peers.py

# The same checks in many environments; the table is in docs/reference/environments.md. `make test` has a part of it.
environments: lib venv
	$(PYTHON) Tests/environments/environments.py --write

# --- documents ---------------------------------------------------------------------------------
#
# The site with all documents and both references. Its tools need other versions of packages than the tests.

DOCS_VENV := $(BUILD)/docs/venv
SITE := $(BUILD)/docs/site
$(DOCS_VENV)/.made: packaging/site/requirements.txt | $(SETUP)
	python3 -m venv $(DOCS_VENV)
	$(DOCS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r packaging/site/requirements.txt
	touch $@

docs: $(DOCS_VENV)/.made
	NO_MKDOCS_2_WARNING=1 $(DOCS_VENV)/bin/mkdocs build --quiet --strict
	@echo "the site is in $(SITE); to read it: python3 -m http.server --directory $(SITE) 8000"

# --- packages ----------------------------------------------------------------------------------
#
# What users install, where they install it: in chroots of other systems, which need root, and a Debian mirror when they
# are made. They stay in build/chroots. `packages-test` has the cases of the gate, and `packages-test-all` all cases.
# The harness's programs have another jansson than the library of the wheel.

PACKAGES_TOOLS := debootstrap cmake pkg-config gcc python3-venv

# Without root the tests in chroots say that they need it.
packages-setup:
	@missing=""; for tool in debootstrap cmake pkg-config gcc; do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	[ "$$(id -u)" = 0 ] || missing=""; \
	$(call INSTALL_MISSING,$(PACKAGES_TOOLS))

packages-test: packages-setup wheel deb
	Tests/packages/chroot_test.sh || [ $$? = 77 ]
	Tests/c/run.sh $(BUILD)/wheel/lib pool document library/exports library/file_bytes
	Tests/packages/source.sh
	Tests/packages/wheel.sh
	Tests/packages/deb.sh $(BUILD)/deb

packages-test-all: packages-setup wheel deb
	Tests/packages/chroot_test.sh || [ $$? = 77 ]
	Tests/c/run.sh $(BUILD)/wheel/lib
	Tests/packages/source.sh --all
	Tests/packages/wheel.sh --all
	Tests/packages/deb.sh $(BUILD)/deb

# --- sanitizers --------------------------------------------------------------------------------
#
# The C harness again, over a library with a sanitizer in it: all of it, or CHECKS, a list of folders and programs. Such
# a library is a debug build with the Swift runtime of the toolchain, whose place it must know.

CHECKS ?=
SANITIZED := -c debug -Xswiftc -use-ld=lld
# SwiftPM refuses --sanitize=undefined on Linux. A trap needs no library at run time.
UNDEFINED := -Xcc -fsanitize=undefined -Xcc -fsanitize-trap=undefined

# $(call RUN_SANITIZED,NAME,FOLDER OF THE BUILD,OPTIONS OF THE BUILD)
define RUN_SANITIZED
	$(REQUIRE)
	$(SWIFT) build $(3) --product flowworker --scratch-path $(2)
	mkdir -p $(BUILD)/$(1) && cp $(2)/debug/libflowworker.so $(BUILD)/$(1)/$(SONAME)
	ln -sf $(SONAME) $(BUILD)/$(1)/libflowworker.so
	env -u CC CHECK_TIMEOUT=1200 Tests/c/run.sh $(BUILD)/$(1) --under $(1) $(CHECKS)
endef

asan: | $(SETUP)
	$(call RUN_SANITIZED,asan,.build-asan,$(SANITIZED) --sanitize=address)

tsan: | $(SETUP)
	$(call RUN_SANITIZED,tsan,.build-tsan,$(SANITIZED) --sanitize=thread)

# Uses the same build as the Swift units.
ubsan: | $(SETUP)
	$(call RUN_SANITIZED,ubsan,.build,$(UNDEFINED))

# The third of the harness that the gate runs under each. Address: what handles, documents, pools, events and runs
# allocate and free, and functions, whose calls outlive their steps. Thread: what several threads do with one pool, one
# exec, one workflow and one context. Undefined: what runs most of the C of the library, which starts commands, moves
# their output and looks after descriptors.
ASAN_CHECKS := cpp document event function handle pool start
TSAN_CHECKS := cpp_functions function handle library/log_threads many pool retry start workflow
UBSAN_CHECKS := exec host supervisor limit output workflow

sanitize: | $(SETUP)
	$(MAKE) asan CHECKS="$(ASAN_CHECKS)"
	$(MAKE) tsan CHECKS="$(TSAN_CHECKS)"
	$(MAKE) ubsan CHECKS="$(UBSAN_CHECKS)"

# Checks the model of the supervisor's protocol, and its mutations. FULL=1 has the larger cases as well.
model: | $(SETUP)
	@missing=""; command -v spin >/dev/null || missing=" spin"; $(call INSTALL_MISSING,spin gcc)
	Tests/model/run.sh $(if $(FULL),--full)

# Random steps, cancels, frees, forks and kills from 16 threads for SOAK_SECONDS, or with SOAK_PRESSURE=1 plain steps
# where memory and processors are scarce; the gate has 20 and 10 seconds of them. The exit status 77 is for where they
# cannot run.
SOAK_SECONDS ?= 1800
soak: lib
	SOAK_SECONDS=$(SOAK_SECONDS) Tests/soak/run.sh $(LIB)

test-soak: lib
	SOAK_SECONDS=20 Tests/soak/run.sh $(LIB) || [ $$? = 77 ]
	SOAK_PRESSURE=1 SOAK_SECONDS=10 Tests/soak/run.sh $(LIB) || [ $$? = 77 ]

# Shows which lines of the library the tests run. SUITES="c" is a part of it; "engines" needs engines as well.
SUITES ?=
coverage: venv | $(SETUP)
	$(REQUIRE)
	Tests/coverage/run.sh $(BUILD) $(PYTHON) $(SUITES)

# Builds the library with faults in the order of steps, which the tests must notice.
mutants: venv
	Tests/mutants/run.sh

# Fuzzes the readers of bytes from outside with libFuzzer, which the Swift toolchain has: all of them, or READER, each for
# at most SECONDS, and until its coverage has not grown for IDLE seconds. FUZZ_OPTIONS=--write replaces the corpora. The
# build is optimised, and has all checks of a debug build, and two sanitizers.
READER ?=
SECONDS ?= 60
IDLE ?= 300
FUZZ_OPTIONS ?=
FUZZED := -c release --sanitize=fuzzer -Xswiftc -sanitize=address,fuzzer -Xswiftc -enable-testing \
          -Xswiftc -assert-config -Xswiftc Debug -Xcc -fsanitize=address,undefined -Xcc -fsanitize-trap=undefined
fuzz: | $(SETUP)
	$(REQUIRE)
	FLOWWORKER_FUZZ=1 $(SWIFT) build --product fuzz --scratch-path .build-fuzz $(FUZZED)
	python3 Tests/fuzz/fuzz.py --seconds $(SECONDS) --idle $(IDLE) $(FUZZ_OPTIONS) $(READER)

valgrind: lib
	Tests/c/run.sh $(LIB) --under valgrind

bench: lib venv
	benchmarks/run.sh

# Installs the peers that Debian and PyPI have. `make bench` leaves out peers that are not installed.
bench-setup:
	apt-get install -y -qq libuv1-dev libglib2.0-dev parallel findutils ninja-build
	python3 -m venv $(BUILD)/peers-venv
	$(BUILD)/peers-venv/bin/pip install --quiet --disable-pip-version-check -r benchmarks/peers/requirements.txt

# --- lint --------------------------------------------------------------------------------------

# All files that git tracks or would add, and so no build products.
FILES_OF = $(shell git ls-files --cached --others --exclude-standard -- $(1))
C_FILES = $(call FILES_OF,'*.c' '*.cpp' '*.h' '*.hpp')
SHELL_FILES = $(call FILES_OF,'*.sh' .ci/run)
SWIFT_FILES = Package.swift Sources Tests/FlowWorkerTests Tests/fuzz benchmarks

# Tests have misspelt words on purpose, and so has the page that shows what the library says about them.
SPELLED = --ignore-words-list inout,atmost,forword,comands,nmae --skip docs/guides/troubleshooting.md \
  $(call FILES_OF,'*.md' include Sources benchmarks examples bindings/python/flowworker packaging)

# The checks in Tests/lint are the project's own.
lint: $(VENV)/.lint
	$(SWIFT) format lint --strict --recursive --parallel $(SWIFT_FILES)
	@echo clang-format --dry-run; $(VENV)/bin/clang-format --dry-run -Werror $(C_FILES)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	cd bindings/python && $(abspath $(VENV))/bin/mypy --strict flowworker
	@echo shellcheck; $(VENV)/bin/shellcheck --severity=warning $(SHELL_FILES)
	@echo codespell; $(VENV)/bin/codespell $(SPELLED)
	$(PYTHON) Tests/lint/lines.py
	$(PYTHON) Tests/lint/index.py
	$(PYTHON) Tests/lint/unused.py
	$(PYTHON) Tests/lint/versions.py
	$(PYTHON) Tests/lint/excerpts.py
	$(PYTHON) Tests/lint/model.py
	$(PYTHON) Tests/lint/syscalls.py

format: $(VENV)/.lint
	$(SWIFT) format format --in-place --recursive --parallel $(SWIFT_FILES)
	@echo clang-format -i; $(VENV)/bin/clang-format -i $(C_FILES)
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

clean:
	rm -rf $(BUILD) .build .build-*
