#!/bin/sh
# Builds the library with a fault in it, for each patch of this directory and its folders, and runs tests, which must fail.
#
#     Tests/mutants/run.sh [NAME...]     all patches, by default; `sandbox/NAME` is one of a folder
#
# A patch of this directory leaves out one rule of the order of steps, and the tests are test_width*.py of
# bindings/python/tests/workflow, but that of the schedule. A patch of sandbox/ leaves out one layer of a sandbox, and the
# tests are the attempts at it and the programs in it (test_sandbox_attempts.py, test_sandbox_programs.py). A patch of
# tree_limits/ leaves out a part of control groups, and the test is test_tree_limits.py. The copy of the sources and its
# build are in build/mutants, where the output of each test stays. FW_TEST_WIDTH is the most
# workflows that the test may need, 200 by default. The exit status is 1 if a fault was not noticed, and 2 if a patch
# does not fit the sources or they cannot be built.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$root/build/mutants
python=$root/build/venv/bin/python
[ -x "$python" ] || python=python3
: "${FW_TEST_WIDTH:=200}"
export FW_TEST_WIDTH

[ $# -gt 0 ] || for patch in "$here"/*.patch "$here"/*/*.patch; do
  name=${patch#"$here/"}
  set -- "$@" "${name%.patch}"
done

# Leaves files alone that are the same, so that only what a patch touches is built again.
copy_sources() {
  mkdir -p "$work/source"
  (cd "$root" && find include Sources Tests/FlowWorkerTests -type d -exec mkdir -p "$work/source/{}" \;)
  (cd "$work/source" && find . -type f) | while IFS= read -r file; do
    [ -e "$root/$file" ] || rm -f "$work/source/$file"
  done
  (cd "$root" && find Package.swift include Sources Tests/FlowWorkerTests -type f) | while IFS= read -r file; do
    cmp -s "$root/$file" "$work/source/$file" || cp "$root/$file" "$work/source/$file"
  done
}

build() {
  (cd "$work/source" && env -u CC -u CXX swift build --product flowworker --scratch-path "$work/build" \
    --disable-local-rpath -Xswiftc -static-stdlib -Xswiftc -use-ld=lld) \
    >"$work/$1.build.log" 2>&1 || { tail -20 "$work/$1.build.log" >&2; echo "$1: it cannot be built" >&2; exit 2; }
}

# Tells whether the tests pass with the library that was built.
passes() {
  case $1 in
    sandbox/*) folder=steps tests="test_sandbox_attempts.py test_sandbox_programs.py" ;;
    tree_limits/*) folder=steps tests="test_tree_limits.py" ;;
    *) folder=workflow tests="test_width.py test_width_examples.py test_width_searches.py" ;;
  esac
  # shellcheck disable=SC2086 # a list of files
  (cd "$root/bindings/python/tests/$folder" &&
    FLOWWORKER_LIBRARY=$work/build/debug/libflowworker.so "$python" -m pytest -q -x -p no:cacheprovider $tests) \
    >"$work/$1.test.log" 2>&1
}

mkdir -p "$work/sandbox" "$work/tree_limits"
missed=0
noticed=0
for name; do
  copy_sources
  patch -d "$work/source" -p1 --quiet --forward <"$here/$name.patch" ||
    { echo "$name: the patch does not fit the sources any more" >&2; exit 2; }
  build "$name"
  if passes "$name"; then
    echo "$name: NOT NOTICED"
    missed=$((missed + 1))
  else
    # A test that cannot run at all has noticed nothing.
    grep -q '^FAILED' "$work/$name.test.log" || { tail -20 "$work/$name.test.log" >&2; exit 2; }
    echo "$name: $(sed -n 's/^E  *\(Failed: \)*//p' "$work/$name.test.log" | head -1 | cut -c1-200)"
    noticed=$((noticed + 1))
  fi
done
copy_sources
echo "$noticed noticed, $missed missed"
[ "$missed" -eq 0 ]
