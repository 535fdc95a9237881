#!/usr/bin/env bash
# The header compiles as the first include, twice, and before or after jansson's header, in each language that hosts are
# written in, without a warning.
# not under asan tsan ubsan valgrind: this check is about the header
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

printf '#include <flowworker.h>\n#include <flowworker.h>\n' >"$work/twice.c"
printf '#include <flowworker.h>\n#include <jansson.h>\n' >"$work/before.c"
printf '#include <jansson.h>\n#include <flowworker.h>\n' >"$work/after.c"
cat >"$work/use.c" <<'END'
#include <flowworker.h>
typedef char version_is_text[sizeof FW_VERSION > 1 ? 1 : -1];
fw_status use(const char *text, fw_pool **pool);
fw_status use(const char *text, fw_pool **pool)
{
    return fw_pool_create(text, FW_ZERO_TERMINATED, pool, NULL);
}
END

compile() {
    "$@" -Wall -Wextra -pedantic -Werror -I "$root/include" -fsyntax-only || {
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
    for file in twice before after use; do
        for standard in c99 c11; do
            compile "$tool" -x c -std="$standard" "${warnings[@]}" "$work/$file.c"
        done
        compile "$tool" -x c++ -std=c++17 "${warnings[@]}" "$work/$file.c"
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
