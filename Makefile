# libflowworker: one door for everything.
#
#   make run     build the library and run the Hello World workflow from C and from Python
#   make test    run every test that needs no engine; make engines-test runs the others
#
# Both install what they lack: Debian packages (when they can), and a virtual environment
# under build/. See CONTRIBUTING.md for the rest.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := lib

# The header is the one place that has the numbers.
VERSION := $(shell sed -n 's/^\#define FW_VERSION "\(.*\)"/\1/p' include/flowworker.h)
ABI := $(shell sed -n 's/^\#define FW_ABI_VERSION //p' include/flowworker.h)
PREFIX ?= /usr/local
DESTDIR ?=
LIBDIR ?= $(PREFIX)/lib

BUILD := build
LIB := $(BUILD)/lib
SONAME := libflowworker.so.$(ABI)
VENV := $(BUILD)/venv
PYTHON := $(VENV)/bin/python
HEADER := include/flowworker.h
SOURCES := $(shell find Sources include Package.swift -type f)

# What a library for any host is built with: the Swift runtime inside (so that there is one file,
# and no signal handler of the runtime's), no search path of the build machine, and no check of
# exclusive access while it runs, whose answer would be to end the host (debug builds, which the
# Swift units and the sanitizers use, have it).
RELEASE := -c release --disable-local-rpath -Xswiftc -static-stdlib -Xswiftc -use-ld=lld -Xlinker --gc-sections \
           -Xswiftc -enforce-exclusivity=unchecked

.PHONY: lib run test test-swift test-c test-python test-readme engines-test bench bench-setup asan tsan valgrind \
        format install clean setup venv

# --- set-up ------------------------------------------------------------------------------------

PACKAGES := gcc g++ make pkg-config libjansson-dev libcurl4-openssl-dev python3 python3-venv valgrind
NEEDED := gcc g++ pkg-config python3 valgrind

# Installs Debian packages only if something is missing, so that it works without root as well.
setup:
	@missing=""; for tool in $(NEEDED); do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	pkg-config --exists jansson 2>/dev/null || missing="$$missing libjansson-dev"; \
	pkg-config --exists libcurl 2>/dev/null || missing="$$missing libcurl4-openssl-dev"; \
	python3 -c 'import venv, ensurepip' 2>/dev/null || missing="$$missing python3-venv"; \
	if [ -n "$$missing" ]; then \
	  echo "installing packages, because these are missing:$$missing"; \
	  if [ "$$(id -u)" = 0 ]; then apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $(PACKAGES) >/dev/null; \
	  elif command -v sudo >/dev/null; then sudo apt-get update -qq && sudo apt-get install -y -qq $(PACKAGES) >/dev/null; \
	  else echo "no right to install: please install $(PACKAGES)" >&2; exit 1; fi; \
	fi
	@command -v swift >/dev/null || { echo "a Swift toolchain is needed, 6.3 or later: https://www.swift.org/install" >&2; exit 1; }

venv: $(VENV)/.made
$(VENV)/.made: Tests/python-requirements.txt | setup
	python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check -r Tests/python-requirements.txt
	touch $@

# --- the library -------------------------------------------------------------------------------

lib: $(LIB)/$(SONAME)
$(LIB)/$(SONAME): $(SOURCES) | setup
	swift build $(RELEASE) --product flowworker --scratch-path .build-release
	mkdir -p $(LIB)
	strip --strip-unneeded -o $@.new .build-release/release/libflowworker.so
	mv $@.new $@
	ln -sf $(SONAME) $(LIB)/libflowworker.so

install: lib
	install -d $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(LIBDIR)/cmake/flowworker
	install -m 644 $(HEADER) $(DESTDIR)$(PREFIX)/include/
	install -m 755 $(LIB)/$(SONAME) $(DESTDIR)$(LIBDIR)/
	ln -sf $(SONAME) $(DESTDIR)$(LIBDIR)/libflowworker.so
	sed -e 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@VERSION@|$(VERSION)|' bindings/c/flowworker.pc.in \
	  > $(DESTDIR)$(LIBDIR)/pkgconfig/flowworker.pc
	sed -e 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@SONAME@|$(SONAME)|' bindings/c/flowworker-config.cmake.in \
	  > $(DESTDIR)$(LIBDIR)/cmake/flowworker/flowworker-config.cmake

# --- the front door ----------------------------------------------------------------------------

run: lib venv
	mkdir -p $(BUILD)/examples $(BUILD)/run
	cc -std=c11 -Wall -Wextra -Werror -Iinclude examples/run.c -L$(LIB) -Wl,-rpath,'$$ORIGIN/../lib' -lflowworker -ljansson \
	  -o $(BUILD)/examples/run
	@echo; echo "== Hello World from a C host (examples/run.c)"; echo
	$(BUILD)/examples/run examples/helloworld $(BUILD)/run/c
	@echo; echo "== Hello World from a Python host (examples/run.py)"; echo
	PYTHONPATH=bindings/python $(PYTHON) examples/run.py examples/helloworld $(BUILD)/run/python

# --- tests -------------------------------------------------------------------------------------

test: test-swift test-c test-python test-readme

test-swift: | setup
	swift test --disable-xctest

test-c: lib
	Tests/c/run.sh $(LIB)

test-python: lib venv
	$(PYTHON) -m pytest -q bindings/python/tests Tests/differential Tests/runner

test-readme: lib venv
	$(PYTHON) Tests/readme/run.py $(LIB)

# The S3 server of the tests needs other versions of packages than they do.
S3_VENV := $(BUILD)/engines/s3-venv
$(S3_VENV)/.made: Tests/engines/s3-requirements.txt | setup
	python3 -m venv $(S3_VENV)
	$(S3_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r Tests/engines/s3-requirements.txt
	touch $@

# The tests that need an engine, on private ones.
engines-test: lib venv $(S3_VENV)/.made
	Tests/engines/setup.sh
	PYTHON=$(abspath $(PYTHON)) Tests/engines/run.sh $(LIB)

# The C harness again, over the library with a sanitizer in it and under valgrind. A sanitized library
# is a debug build with the Swift runtime of the toolchain, whose place it must know.
SANITIZED := -c debug -Xswiftc -use-ld=lld

asan: | setup
	swift build $(SANITIZED) --sanitize=address --product flowworker --scratch-path .build-asan
	mkdir -p $(BUILD)/asan && cp .build-asan/debug/libflowworker.so $(BUILD)/asan/$(SONAME)
	ln -sf $(SONAME) $(BUILD)/asan/libflowworker.so
	Tests/c/run.sh $(BUILD)/asan --under asan

tsan: | setup
	swift build $(SANITIZED) --sanitize=thread --product flowworker --scratch-path .build-tsan
	mkdir -p $(BUILD)/tsan && cp .build-tsan/debug/libflowworker.so $(BUILD)/tsan/$(SONAME)
	ln -sf $(SONAME) $(BUILD)/tsan/libflowworker.so
	Tests/c/run.sh $(BUILD)/tsan --under tsan

valgrind: lib
	Tests/c/run.sh $(LIB) --under valgrind

bench: lib venv
	benchmarks/run.sh

# The peers that Debian has. `make bench` leaves out what is not there.
bench-setup:
	apt-get install -y -qq libuv1-dev libglib2.0-dev parallel findutils

format:
	swift format format --in-place --recursive Sources Tests Package.swift

clean:
	rm -rf $(BUILD) .build .build-*
