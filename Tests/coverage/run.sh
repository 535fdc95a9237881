#!/usr/bin/env bash
# Shows which lines of the library its tests run: builds the library with counters, runs the Swift units, the C harness
# and the Python tests over it, and prints a table of files.
#
#   run.sh BUILD PYTHON [SUITE...]      swift c python, by default; "engines" is the C and Python tests with engines as well
#
# BUILD is the folder for the results: coverage/report.txt has the table, and coverage/lines has each file with its
# counts. The counters are in a file that is mapped into memory, so those of a process that is killed count as well. The
# supervisor leaves none, because it has no C library to map the file: its code is not in the table (Tests/model,
# Tests/faults and the folder supervisor of the harness are its proof).
# A test that fails is told, and the table is printed all the same; the exit status is then 1.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

[ $# -ge 2 ] || { sed -n '5p' "${BASH_SOURCE[0]}" | cut -c3- >&2; exit 2; }
build=$(mkdir -p "$1" && cd "$1" && pwd) python=$2
shift 2
suites=("$@")
[ $# -gt 0 ] || suites=(swift c python)
out=$build/coverage
scratch=.build-coverage
tools=$(dirname "$(command -v swift)")
rm -rf "$out"
mkdir -p "$out/raw" "$out/lib"

counters=(-Xswiftc -profile-generate -Xswiftc -profile-coverage-mapping -Xcc -fprofile-instr-generate -Xcc -fcoverage-mapping)
# The counters are found through an offset, which a file in memory needs.
counters+=(-Xswiftc -Xllvm -Xswiftc -runtime-counter-relocation -Xcc -mllvm -Xcc -runtime-counter-relocation)
counters+=(-Xcc "-fprofile-list=$PWD/Tests/coverage/uncounted.list")
# With other flags than before, SwiftPM would keep the objects of sources that are the same.
[ "$(cat "$scratch/counters" 2>/dev/null)" = "${counters[*]}" ] || rm -rf "$scratch"
mkdir -p "$scratch"
echo "${counters[*]}" >"$scratch/counters"
env -u CC -u CXX swift build -c debug -Xswiftc -use-ld=lld "${counters[@]}" --product flowworker --scratch-path "$scratch"
cp "$scratch/debug/libflowworker.so" "$out/lib/libflowworker.so.0"
ln -sf libflowworker.so.0 "$out/lib/libflowworker.so"
objects=("$out/lib/libflowworker.so.0")

# The processes of one program count in one of four files (%4m), while they run (%c).
export LLVM_PROFILE_FILE=$out/raw/%c%4m.profraw
failed=()
run() {
    local name=$1
    shift
    echo "coverage: $name"
    "$@" >"$out/$name.log" 2>&1 || { failed+=("$name"); tail -n 5 "$out/$name.log"; }
}
pytest() { env FLOWWORKER_LIBRARY="$out/lib/libflowworker.so" PYTHONPATH=bindings/python "$python" -m pytest -q "$@"; }

for suite in "${suites[@]}"; do
    case $suite in
    swift)
        run build-units env -u CC -u CXX swift build --build-tests --disable-xctest -Xswiftc -use-ld=lld "${counters[@]}" \
            --scratch-path "$scratch"
        run swift env -u CC -u CXX swift test --skip-build --disable-xctest "${counters[@]}" --scratch-path "$scratch"
        objects+=(-object "$scratch/debug/flowworkerPackageTests.xctest")
        ;;
    c) run c env CHECK_TIMEOUT=1200 Tests/c/run.sh "$out/lib" ;;
    python) run python pytest bindings/python/tests ;;
    engines) run engines env PYTHON="$python" Tests/engines/run.sh "$out/lib" ;;
    *)
        echo "run.sh: there is no suite $suite" >&2
        exit 2
        ;;
    esac
done

find "$out/raw" -name '*.profraw' >"$out/raw.txt"
"$tools/llvm-profdata" merge --sparse --failure-mode=all --input-files="$out/raw.txt" -o "$out/all.profdata"
ignored='(Tests|\.build-coverage|CSupervisor/|/usr/)'
"$tools/llvm-cov" report "${objects[@]}" --instr-profile="$out/all.profdata" --ignore-filename-regex="$ignored" >"$out/report.txt"
"$tools/llvm-cov" show "${objects[@]}" --instr-profile="$out/all.profdata" --ignore-filename-regex="$ignored" --format=text \
    --output-dir="$out/lines" >/dev/null
cat "$out/report.txt"
[ ${#failed[@]} -eq 0 ] || { echo "coverage: these suites failed: ${failed[*]}"; exit 1; }
