#!/usr/bin/env bash
# The header compiles as the first include, twice, and before or after jansson's header, in each standard of C and C++ from
# C99 and C++11 on, without a warning. A host may use every name of it under strict warnings.
# not under asan tsan ubsan valgrind: this check is about the header
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

printf '#include <flowworker.h>\n#include <flowworker.h>\n' >"$work/twice.c"
printf '#include <flowworker.h>\n#include <jansson.h>\n' >"$work/before.c"
printf '#include <jansson.h>\n#include <flowworker.h>\n' >"$work/after.c"
# Every macro with a value, in an initializer of the type that it has.
{
    printf '#include <flowworker.h>\n'
    printf 'typedef char version_is_text[sizeof FW_VERSION > 1 ? 1 : -1];\n'
    printf 'int64_t numbers(size_t i);\nint64_t numbers(size_t i)\n{\n    static const int32_t all[] = {\n'
    sed -nE 's/^#define (FW_[A-Z_]+) (\(-[0-9]+\)|[0-9]+)$/        \1,/p' "$root/include/flowworker.h"
    printf '    };\n    return i < sizeof all / sizeof all[0] ? all[i] : FW_OK;\n}\n'
    cat <<'END'
fw_status use(const char *text, fw_pool **pool);
fw_status use(const char *text, fw_pool **pool)
{
    size_t length = FW_ZERO_TERMINATED;
    return fw_pool_create(text, length, pool, NULL);
}
END
} >"$work/use.c"
[ "$(grep -c '^        FW_' "$work/use.c")" -gt 30 ] || {
    echo 'the numbers of the header were not found'
    failed=1
}

strict=(-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wundef -Werror)
compile() {
    "$@" "${strict[@]}" -I "$root/include" -fsyntax-only || {
        echo "failed: $*"
        failed=1
    }
}

compilers=0
for tool in gcc clang; do
    command -v "$tool" >/dev/null || continue
    compilers=$((compilers + 1))
    warnings=()
    if [ "$tool" = clang ]; then warnings=(-Wdocumentation -Wstrict-prototypes); fi
    # C2x is C23 in compilers that were made before it was published.
    for file in twice before after use; do
        for standard in c99 c11 c17 c2x; do
            compile "$tool" -x c -std="$standard" "${warnings[@]}" "$work/$file.c"
        done
        for standard in c++11 c++14 c++17 c++20; do
            compile "$tool" -x c++ -std="$standard" -Wold-style-cast "${warnings[@]}" "$work/$file.c"
        done
    done
done
[ "$compilers" -eq 2 ] || {
    echo 'gcc and clang are both needed'
    failed=1
}

# A result that matters cannot be dropped by oversight: each function that can fail is called, and its status dropped. The
# code of an error is no status of a call.
declarations=$(sed -e 's,//.*,,' "$root/include/flowworker.h" | tr '\n' ' ' | sed -e 's,/\*,\n&,g' -e 's,\*/,&\n,g' |
    sed -e '/^\/\*/d' | tr ';' '\n' | grep -o 'FW_API *fw_status *fw_[a-z_]*(.*)' | grep -v 'fw_error_code')
{
    printf '#include <flowworker.h>\nvoid dropped(void);\nvoid dropped(void)\n{\n'
    while read -r declaration; do
        name=$(sed 's/.*fw_status *\(fw_[a-z_]*\)(.*/\1/' <<<"$declaration")
        # Removes the parameters of parameters that are functions.
        commas=$(sed -e 's/^[^(]*(//' -e 's/)$//' -e 's/([^()]*)//g' <<<"$declaration" | tr -cd ',')
        printf '    %s(0%s);\n' "$name" "${commas//,/, 0}"
    done <<<"$declarations"
    printf '}\n'
} >"$work/dropped.c"
calls=$(grep -c '^    fw_' "$work/dropped.c")
cc -std=c11 -Wall -I "$root/include" -c -o /dev/null "$work/dropped.c" 2>"$work/log"
warned=$(grep -o 'ignoring return value of .*unused[-_]result' "$work/log" | grep -o 'fw_[a-z_]*' | sort -u | wc -l)
if [ "$calls" -lt 30 ] || [ "$warned" -ne "$calls" ] || grep -q 'error:' "$work/log"; then
    echo "of $calls functions that can fail, a dropped status of $warned gives a warning:"
    cat "$work/log"
    failed=1
fi
exit "$failed"
