#!/usr/bin/env bash
# examples/filter.c passes its input through a program and prints the output while there still is input; words and bytes
# arrive as they are; a program that ends early, or that does not exist, has its own status.
# not under asan tsan ubsan valgrind: this check is about the release library
set -eu
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cc -std=c11 -Wall -Wextra -Werror -I"$root/include" "$root/examples/filter.c" -L"$(dirname "$CHECK_LIBRARY")" \
    -lflowworker -ljansson -o "$place/filter"
export LD_LIBRARY_PATH
LD_LIBRARY_PATH=$(dirname "$CHECK_LIBRARY")
cd "$place"

printf 'b\na\nc\n' | ./filter sort >sorted
printf 'a\nb\nc\n' | cmp - sorted
./filter printf '%s\n' "O'Brien; \$HOME \`" '' '* ?' </dev/null >words
printf '%s\n' "O'Brien; \$HOME \`" '' '* ?' | cmp - words

# Bytes in both directions at once, many times what all buffers hold.
head -c 20000000 /dev/urandom >bytes
./filter cat <bytes | cmp - bytes

# The output comes while the input is open: each line is an answer to the one before.
mkfifo questions answers
./filter sed -u 's/^/got /' <questions >answers &
exec 3>questions 4<answers
for word in one two three; do
    echo "$word" >&3
    read -r answer <&4
    [ "$answer" = "got $word" ]
done
exec 3>&-
wait $!
exec 4<&-

END=0
yes | ./filter sh -c 'read -r line; echo "$line"; exit 7' >first || END=$?
[ "$END" = 7 ] && [ "$(cat first)" = y ]
END=0
./filter no-such-program </dev/null 2>said || END=$?
[ "$END" = 127 ] && grep -q 'no-such-program' said
