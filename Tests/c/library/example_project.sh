#!/usr/bin/env bash
# The project of examples/project runs with its host in C, which CMake builds with the installed library, and with its
# host in Python. Each of them makes the report and the page, goes on after it was killed where it had ended, is
# cancelled by Ctrl-C, and says what is wrong with an argument. No file has the secret.
# not under asan tsan ubsan valgrind: this check is about the release library
set -eu
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
command -v cmake >/dev/null || { echo 'cmake is not installed'; exit 77; }
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
# The environment with papermill, in which the step "figure" runs as well.
if [ -x "$root/build/venv/bin/python" ]; then PATH=$root/build/venv/bin:$PATH; fi
notebook=
steps=8
if python3 -c 'import papermill, ipykernel' 2>/dev/null; then notebook=-n steps=9; fi
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$root/bindings/python FLOWWORKER_LIBRARY=$CHECK_LIBRARY SALES_TOKEN=geheim-4711

make --no-print-directory -C "$root" install PREFIX="$place/installed" >"$place/log"
{
    cmake -S "$root/examples/project" -B "$place/made" -DCMAKE_PREFIX_PATH="$place/installed" \
        -DCMAKE_C_FLAGS='-Wall -Wextra -Werror' && cmake --build "$place/made"
} >"$place/log" 2>&1 || { cat "$place/log" && exit 1; }

wrong() {
    echo "$host: $*"
    cat "$place/printed" "$place/said"
    exit 1
}

# Starts a host in the background, with the signals as a terminal would give them.
start() {
    # The files of the run before are gone before anybody looks at those of this one.
    : >"$place/printed"
    : >"$place/said"
    if [ "$host" = C ]; then
        env --default-signal=INT "$place/made/host" $notebook "$@" "$project" >"$place/printed" 2>"$place/said" &
    else
        env --default-signal=INT python3 "$project/host.py" "${@/#-m/--month}" >"$place/printed" 2>"$place/said" &
    fi
    pid=$!
}

# Expects the exit status $1.
ends() {
    local status=0
    wait "$pid" || status=$?
    [ "$status" = "$1" ] || wrong "the exit status is $status and not $1"
}

has() { grep -q -- "$2" "$1" || wrong "no \"$2\" in ${1##*/}"; }

# Starts a run whose step "compare" takes long, and waits until it is in that step.
start_slowly() {
    SALES_PAUSE=600 start
    until grep -q 'shop 1 of 4' "$place/printed"; do
        kill -0 "$pid" 2>/dev/null || wrong 'the run has ended'
        sleep 0.05
    done
}

# Waits until no process works in the project.
nobody() {
    while find /proc -maxdepth 2 -name cwd -lname "$project*" 2>/dev/null | grep -q .; do sleep 0.05; done
}

for host in C Python; do
    project=$place/$host
    cp -r "$root/examples/project" "$project"

    start
    ends 0
    has "$place/printed" "^\[$steps/$steps\] publish$"
    has "$project/data/website/report.txt" '^The next report is that of 2026-11$'
    has "$project/data/page.html" "$steps of $steps steps succeeded"
    has "$project/data/page.html" '<code>token</code></dt><dd><code>\*\*\*</code>'
    if [ -n "$notebook" ]; then has "$project/data/run/out/figure.svg" '</svg>'; fi

    # A host that is killed leaves no process, and another one goes on with the step in which it was.
    rm -r "$project/data"
    start_slowly
    kill -KILL "$pid"
    ends 137
    nobody
    start
    ends 0
    has "$place/printed" '^\[5/.\] best (restored)$'
    has "$place/printed" '^\[6/.\] compare$'
    has "$project/data/page.html" ', 5 were restored from an earlier run'
    [ "$(grep -c . "$project/data/run/out/shops.csv")" = 4 ] || wrong 'a part of the first run is in the report'

    # Ctrl-C, and a month that the function refuses.
    rm -r "$project/data"
    start_slowly
    kill -INT "$pid"
    ends 130
    nobody
    has "$place/said" '^cancelling$'
    has "$project/data/page.html" "1 of $steps steps was cancelled, 5 succeeded"
    start -m October
    ends 1
    has "$place/said" 'ValueError: a month is written as YYYY-MM'
    has "$project/data/page.html" 'id="outcome">failed'

    # A secret that is missing, and a configuration that is wrong.
    SALES_TOKEN='' start
    ends 2
    has "$place/said" 'SALES_TOKEN'
    sed -i 's/"output_limit"/"output_limits"/' "$project/config.json"
    start
    ends 2
    has "$place/said" 'did you mean "output_limit"'
    if grep -rq "$SALES_TOKEN" "$project"; then wrong 'the secret is in a file'; fi
done
