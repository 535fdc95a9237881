#!/usr/bin/env bash
# The C++ header compiles before and after the C header, in each standard from C++17 on, without RTTI, and without a warning;
# and every function of the C header has its form in it.
# not under asan tsan ubsan valgrind: this check is about the header
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

printf '#include <flowworker.hpp>\n#include <flowworker.h>\n#include <jansson.h>\n#include <flowworker.hpp>\n' \
    >"$work/twice.cpp"
strict=(-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wold-style-cast -Wundef -Werror)
compile() {
    "$@" "${strict[@]}" -I "$root/include" -I "$root/Tests/c/support" -fsyntax-only || {
        echo "failed: $*"
        failed=1
    }
}

compilers=0
for tool in g++ clang++; do
    command -v "$tool" >/dev/null || continue
    compilers=$((compilers + 1))
    for standard in c++17 c++20 c++23; do compile "$tool" -std="$standard" "$work/twice.cpp"; done
    # A template is checked where it is used. These programs use all that there are.
    for name in cpp_steps cpp_functions; do compile "$tool" -std=c++17 "$root/Tests/c/cpp/$name.cpp"; done
    compile "$tool" -std=c++17 -fno-rtti "$root/Tests/c/cpp/cpp_functions.cpp"
done
[ "$compilers" -eq 2 ] || {
    echo 'g++ and clang++ are both needed'
    failed=1
}

# The form of fw_worker_exec() is that of fw_worker_exec_with(), and worker_spec() has those of all types.
declared=$(grep -oE '^FW_API[^;]*\bfw_[a-z_]+\(' <(tr '\n' ' ' <"$root/include/flowworker.h" | sed 's/FW_API/\n&/g') |
    grep -oE 'fw_[a-z_]+\($' | tr -d '(' | sort -u |
    grep -vxE 'fw_worker_exec|fw_spec_(code|subprocess|docker|notebook|nbdocker|slurm)')
[ "$(wc -l <<<"$declared")" -gt 90 ] || {
    echo 'the functions of the C header were not found'
    failed=1
}
while read -r name; do
    grep -q "\\b$name(" "$root/include/flowworker.hpp" || {
        echo "flowworker.hpp has no form of $name"
        failed=1
    }
done <<<"$declared"
while read -r name; do
    grep -q "\\b$name\\b" "$root/include/flowworker.hpp" || {
        echo "flowworker.hpp has no form of $name"
        failed=1
    }
done < <(sed -nE 's/^#define (FW_(E_|EVENT_|LOG_)?[A-Z_]+) (\(-[0-9]+\)|[0-9]+)$/\1/p' "$root/include/flowworker.h" |
    grep -vE '^FW_(VERSION|ABI_VERSION)')
exit "$failed"
