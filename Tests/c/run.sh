#!/usr/bin/env bash
# Runs the checks of this directory against a built library, as a C host has it.
#
#   run.sh LIBDIR [--under asan|tsan|ubsan|valgrind] [--from DIR] [--cc 'COMMAND'] [--wrap 'COMMAND'] [NAME...]
#
# LIBDIR contains libflowworker.so. Each NAME.c or NAME.cpp in a folder is a program, each NAME.sh a script that is given
# LIBDIR.
# A NAME may also be FOLDER/NAME, or FOLDER for all of a folder; without NAMEs everything runs. The headers that programs
# share are in support/. --from takes the programs from another directory, where they need no folder. A program that
# cannot be run here ends with status 77 and a line that says why. --under chooses the compiler, the flags and the
# wrapper for a tool; --cc and --wrap choose them by hand. The environment may add: CC (as --cc), WRAP (as --wrap),
# CFLAGS, LDLIBS, JOBS (how many run at once; 2), CHECK_TIMEOUT (seconds after which a program counts as hanging; 300).
#
# A file that makes no sense under a tool says so in a line of its first comment:
#   not under TOOL [TOOL...]: reason
#
# The log of a program that failed, and what it left behind, stay in build/c/TOOL/.
set -u -o pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

usage() {
    sed -n '4p' "${BASH_SOURCE[0]}" | cut -c3- >&2
    exit 2
}

# A library that was built for a sanitizer needs the sanitizer's runtime of the same compiler, and so the clang of the Swift
# toolchain, whichever clang is first on the PATH. Its Swift runtime refers to libdispatch.
use_toolchain_clang() {
    local directory
    [ -x "$toolchain/bin/clang" ] || {
        echo "a library with a sanitizer needs the Swift toolchain's clang: swiftc is not on the PATH" >&2
        exit 2
    }
    cc=${cc:-$toolchain/bin/clang -fsanitize=$1 -fuse-ld=lld -g -O1 -fno-omit-frame-pointer}
    directory=$(swiftc -print-target-info |
        sed -n '/"runtimeLibraryPaths"/,/]/s/^ *"\(\/.*\)".*/\1/p' | head -n 1)
    CHECK_LDLIBS="$CHECK_LDLIBS -L$directory -Wl,-rpath,$directory -ldispatch -lBlocksRuntime"
}

# Builds and runs one file, prints its line, and returns its status: 0, 1, or 77 if it was skipped.
run_one() {
    local file=$1 name place reason
    name=$(basename "$file")
    name=${name%.*}
    place=$CHECK_WORK/$name
    if [ -n "$CHECK_UNDER" ]; then
        reason=$(sed -nE "1,20s/.*not under ([a-z ]*\b)?$CHECK_UNDER\b[a-z ]*: *//p" "$file")
        if [ -n "$reason" ]; then
            echo "skipped $name: $reason"
            return 77
        fi
    fi
    rm -rf "$place"
    mkdir -p "$place/tmp"
    run_file "$file" "$place" >"$place/log" 2>&1 </dev/null
    case $? in
    0) ;;
    77)
        echo "skipped $name: $(grep -v '^exit status' "$place/log" | tail -n 1)"
        rm -rf "$place"
        return 77
        ;;
    *)
        echo "FAILED  $name"
        sed 's/^/        /' "$place/log" | cut -c1-300 | tail -n 30
        return 1
        ;;
    esac
    echo "ok      $name"
    rm -rf "$place"
}

run_file() {
    local file=$1 place=$2 status left language=(-std=c11) runtime=()
    local -x TMPDIR=$place/tmp
    case $file in
    *.sh) set -- bash "$file" "$CHECK_LIBDIR" ;;
    *)
        case $file in *.cpp) language=(-std=c++17) runtime=(-lstdc++) ;; esac
        # shellcheck disable=SC2086 # these are lists of words
        $CHECK_CC ${CFLAGS:-} "${language[@]}" -I "$root/include" -I "$here/support" -o "$place/program" "$file" \
            -L "$CHECK_LIBDIR" -Wl,-rpath,"$CHECK_LIBDIR" -Wl,--as-needed \
            -lflowworker -ljansson $CHECK_LDLIBS "${runtime[@]}" -lpthread -ldl || return 1
        # shellcheck disable=SC2086
        set -- $CHECK_WRAP "$place/program"
        ;;
    esac
    timeout --signal=QUIT --kill-after=10 "${CHECK_TIMEOUT:-300}" "$@"
    status=$?
    if [ "$status" -eq 124 ]; then
        echo "did not end within ${CHECK_TIMEOUT:-300} seconds; it was here:"
        sed -nE 's/^.*\/program\(\+(0x[0-9a-f]+)\).*$/\1/p' "$place/log" |
            xargs -r addr2line -f -p -s -e "$place/program"
    fi
    [ "$status" -eq 0 ] || echo "exit status $status"
    left=$(find "$place/tmp" -mindepth 1 | head -n 5
        find /proc -maxdepth 2 -name cwd -lname "$place/*" 2>/dev/null)
    [ -z "$left" ] || printf 'left behind:\n%s\n' "$left"
    [ -z "$left" ] || return 1
    return "$status"
}

if [ "${1:-}" = --one ]; then
    run_one "$2"
    echo "$?" >"$CHECK_WORK/$(basename "$2").status"
    exit 0
fi

[ $# -ge 1 ] || usage
CHECK_LIBDIR=$(cd "$1" && pwd) || exit 2
shift
[ -e "$CHECK_LIBDIR/libflowworker.so" ] || {
    echo "$CHECK_LIBDIR has no libflowworker.so" >&2
    exit 2
}
CHECK_UNDER='' from=$here cc=${CC:-} wrap=${WRAP:-} names=()
while [ $# -gt 0 ]; do
    case $1 in
    --under | --from | --cc | --wrap)
        [ $# -ge 2 ] || usage
        case $1 in --from) from=$(cd "$2" && pwd) || exit 2 ;; --under) CHECK_UNDER=$2 ;; --cc) cc=$2 ;; --wrap) wrap=$2 ;; esac
        shift 2
        ;;
    -*) usage ;;
    *) names+=("$1") && shift ;;
    esac
done

CHECK_LDLIBS=${LDLIBS:-}
toolchain=$(swiftc -print-target-info 2>/dev/null | sed -n 's/.*"runtimeResourcePath" *: *"\(.*\)\/lib\/swift".*/\1/p')
case $CHECK_UNDER in
'') ;;
asan)
    use_toolchain_clang address
    export LSAN_OPTIONS=${LSAN_OPTIONS:-suppressions=$here/support/lsan.supp:print_suppressions=0}
    export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:detect_stack_use_after_return=1}
    ;;
tsan)
    use_toolchain_clang thread
    export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:die_after_fork=0}
    ;;
ubsan)
    # A fault is SIGILL, because the trap needs no library that would report it.
    use_toolchain_clang 'undefined -fsanitize-trap=undefined'
    ;;
valgrind)
    # "Possibly lost" blocks belong to the Swift runtime, which keeps pointers into their middle only.
    wrap=${wrap:-valgrind --quiet --vgdb=no --error-exitcode=99 --leak-check=full
        --show-leak-kinds=definite,indirect
        --errors-for-leak-kinds=definite,indirect
        --child-silent-after-fork=yes --trace-children=no}
    ;;
*) usage ;;
esac
CHECK_CC="${cc:-cc} -g -Wall -Wextra -Werror -pedantic"
CHECK_WRAP=$wrap
# Two runs at the same time have different directories; the logs of the run that ends last stay.
logs=$root/build/c/${CHECK_UNDER:-plain}
[ "$from" = "$here" ] || logs=$logs-$(basename "$(dirname "$from")")
mkdir -p "$root/build/c"
CHECK_WORK=$(mktemp -d "$logs.XXXXXX") || exit 2
trap 'rm -rf "$logs" && mv "$CHECK_WORK" "$logs"' EXIT
CHECK_LIBRARY=$CHECK_LIBDIR/libflowworker.so.0
CHECK_CASES=$root/Tests/cases
# A Swift toolchain whose crash reporter the runtime finds, for the check that it is not installed in the host.
[ -x "$toolchain/libexec/swift/linux/swift-backtrace" ] && export CHECK_SWIFT_ROOT=$toolchain
export CHECK_LIBDIR CHECK_UNDER CHECK_CC CHECK_WRAP CHECK_WORK CHECK_LDLIBS CHECK_LIBRARY CHECK_CASES

# Prints the files of a NAME, FOLDER/NAME or FOLDER, and all files for an empty name.
files_of() {
    local found
    case $1 in
    */*) found=$(ls "$from/$1".{c,cpp,sh} 2>/dev/null) ;;
    *) found=$(find "$from" -mindepth 1 -maxdepth 2 -type f -regex '.*\.\(c\|cpp\|sh\)' \
        ! -path "$here/run.sh" ! -path "$here/support/*" \( -path "$from/${1:-*}/*" -o -name "${1:-*}.*" \) | sort) ;;
    esac
    [ -n "$found" ] || {
        echo "there is no $1" >&2
        return 1
    }
    printf '%s\n' "$found"
}

files=()
[ ${#names[@]} -gt 0 ] || names=('')
for name in "${names[@]}"; do
    found=$(files_of "${name%/}") || exit 2
    mapfile -t -O ${#files[@]} files <<<"$found"
done
mapfile -t files < <(printf '%s\n' "${files[@]}" | sort -u)
twice=$(printf '%s\n' "${files[@]##*/}" | sed 's/\.[^.]*$//' | sort | uniq -d)
[ -z "$twice" ] || {
    echo "the name of a program is its own, and its results go by it, but there are two of: $twice" >&2
    exit 2
}

printf '%s\0' "${files[@]}" |
    xargs -0 -n 1 -P "${JOBS:-2}" bash "${BASH_SOURCE[0]}" --one

passed=0 failed=0 skipped=0
for file in "${files[@]}"; do
    case $(cat "$CHECK_WORK/$(basename "$file").status" 2>/dev/null) in
    0) passed=$((passed + 1)) ;;
    77) skipped=$((skipped + 1)) ;;
    *) failed=$((failed + 1)) ;;
    esac
done
rm -f "$CHECK_WORK"/*.status
[ "$failed" -eq 0 ] || echo "logs: $logs/*/log"
if [ "$skipped" -gt 0 ]; then
    echo "$passed passed, $failed failed, $skipped skipped"
else
    echo "$passed passed, $failed failed"
fi
[ "$failed" -eq 0 ]
