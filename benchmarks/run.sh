#!/bin/sh
# Builds and runs the benchmarks, and prints one table of all that they found.
#
#     benchmarks/run.sh [QUESTION...]      all of the questions below, by default
#
# It needs the library in build/lib, and leaves what it builds and finds in build/bench. What a peer
# or a question needs and the machine lacks is said below the table. The questions' sections of
# benchmarks/RESULTS.md are written again.
set -eu
cd "$(dirname "$0")/.."
lib=$PWD/build/lib
out=$PWD/build/bench
rows=$out/rows.tsv
questions=${*:-step words sandbox supervisor many standing hosts capture input pool lookup load expand containers notebooks clusters functions workflow wide chain scale storage sftp}
python=build/venv/bin/python
[ -x "$python" ] || python=python3
: "${CC:=cc}"

compile() {
  program=$1
  shift
  $CC -std=c11 -O2 -Wall -Wextra -Werror -Iinclude -o "$out/$program" "$@"
}

# The substitution has no entry point of its own: a program over the layer that has it (Package.swift).
compile_expand() {
  $CC -std=c11 -O2 -c benchmarks/bench.c -o "$out/bench.o"
  FLOWWORKER_BENCHMARKS=$out swift build -c release -Xswiftc -enforce-exclusivity=unchecked --product expand \
    --scratch-path .build-expand >"$out/expand.log" 2>&1 || { cat "$out/expand.log" >&2; return 1; }
  cp .build-expand/release/expand "$out/expand"
}

# Builds the peers, which a user could choose instead, if the machine has their libraries.
build_peers() {
  mkdir -p "$out/peers"
  for peer in limit libuv GLib; do
    source=benchmarks/peers/$(echo "$peer" | tr 'A-Z' 'a-z').c
    case $peer in
      limit) flags="-L$out -Wl,-rpath,$out -llimits" ;;
      libuv) flags=$(pkg-config --cflags --libs libuv 2>/dev/null) || continue ;;
      GLib) flags=$(pkg-config --cflags --libs gio-2.0 2>/dev/null) || continue ;;
    esac
    # shellcheck disable=SC2086
    compile "peers/$peer" -D_GNU_SOURCE "$source" $flags
  done
  command -v swift >/dev/null || return 0
  # If the package cannot be fetched, the peer is left out.
  if swift build -c release --package-path benchmarks/peers/swift --scratch-path .build-peers >"$out/swift-subprocess.log" 2>&1; then
    cp .build-peers/release/Peer "$out/peers/swift-subprocess"
  fi
}

compile_question() {
  compile "$1" "benchmarks/$1.c" benchmarks/bench.c -L"$lib" -Wl,-rpath,"$lib" -lflowworker \
    -L"$out" -Wl,-rpath,"$out" -llimits -lpthread
}

run_question() {
  case $1 in
    step | words | sandbox | supervisor | many | standing | capture | input | pool | lookup)
      compile_question "$1"
      "$out/$1"
      ;;
    hosts) compile_question many ;;
    wide | chain | scale) compile_question wide ;;
    containers) compile libcontainers.so -fPIC -shared benchmarks/containers_limit.c ;;
    load)
      compile load benchmarks/load.c benchmarks/bench.c -ldl
      "$out/load" "$lib/libflowworker.so.0" "$out/liblimits.so"
      ;;
    expand)
      if command -v swift >/dev/null; then
        compile_expand
        "$out/expand"
      else
        printf 'note\tswift is not installed: the substitution is left out\n'
      fi
      ;;
  esac
  if [ "$1" = step ]; then
    "$out/step" --ballast 1024
    "$out/step" --ballast 8192 4096
  fi
  if [ -e "benchmarks/$1.py" ]; then "$python" "benchmarks/$1.py"; fi
}

[ -e "$lib/libflowworker.so" ] || { echo "run.sh: build/lib has no library: make lib" >&2; exit 1; }
mkdir -p "$out"
compile liblimits.so -fPIC -shared benchmarks/limits/*.c -ljansson
build_peers
: >"$rows"
for question in $questions; do
  echo "run.sh: $question" >&2
  printf 'run\t%s\n' "$question" >>"$rows"
  run_question "$question" >>"$rows"
done
awk -F '\t' -f benchmarks/table.awk "$rows" | tee "$out/table.txt"
"$python" benchmarks/report.py "$rows" "$out/report.html"
"$python" benchmarks/results.py "$rows" benchmarks/RESULTS.md
