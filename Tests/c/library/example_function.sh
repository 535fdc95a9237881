#!/usr/bin/env bash
# examples/function.c compiles, runs and prints what it promises.
# not under asan tsan ubsan valgrind: this check is about the release library
set -eu
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cc -std=c11 -Wall -Wextra -Werror -I"$root/include" "$root/examples/function.c" -L"$(dirname "$CHECK_LIBRARY")" \
    -lflowworker -o "$place/function"
LD_LIBRARY_PATH=$(dirname "$CHECK_LIBRARY") "$place/function" >"$place/printed"
diff - "$place/printed" <<'END'
  adding the numbers of numbers
done
step "add another" failed: the function "sum" raised FileNotFoundError: letters
  nothing found
step "look" was ended because the step's timeout of 0.2 s had passed: "search"; last line of stderr: nothing found
the context has the total: 42
END
