#!/bin/sh
# GNU strip and objcopy 2.40: removing one section that the program loads, such as the
# build id, also removes the segment GNU_RELRO, without a word.
#
# The segment tells the loader which pages to make read-only once it has filled in the
# addresses of functions. A file that loses a loaded section gets its program headers
# made anew, and GNU_RELRO is not among the new ones. Removing a section that is not
# loaded, such as .comment, keeps it.
# Consequence: a package whose build removes .note.gnu.build-id or another note, for the
# same bytes everywhere or for fewer of them, has lost a protection that the compiler was
# asked for. The remedy is to link with --build-id=none, or to write zeros over the
# section in place.
set -u
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
trap 'exit 2' HUP INT TERM
missing() { echo "the packages could not be installed: nothing was examined" >&2; exit 2; }
(
  cd "$tmp" || exit
  apt-get download -q binutils-x86-64-linux-gnu=2.40-2 libbinutils=2.40-2 libctf0=2.40-2 libjansson4=2.14-2 \
    zlib1g=1:1.2.13.dfsg-1 || exit
  for package in *.deb; do dpkg -x "$package" tools || exit; done
) >/dev/null 2>&1 || missing
bin=$tmp/tools/usr/bin/x86_64-linux-gnu-
export LD_LIBRARY_PATH="$tmp/tools/usr/lib/x86_64-linux-gnu:$tmp/tools/lib/x86_64-linux-gnu"
"${bin}strip" --version | head -n 1 || missing
library=$(find "$tmp/tools" -name 'libz.so.1.*') && [ -n "$library" ] || missing
cd "$tmp" || exit 2

"${bin}strip" --remove-section=.comment -o comment.so "$library" || exit 2
"${bin}strip" --remove-section=.note.gnu.build-id -o identifier.so "$library" || exit 2

# The number of bytes of a loaded library that can be written.
writable() {
  python3 - "$1" <<'PY'
import ctypes
import sys

ctypes.CDLL(sys.argv[1])
total = 0
for line in open("/proc/self/maps"):
    if line.rstrip().endswith(sys.argv[1]) and line.split()[1][1] == "w":
        begin, end = (int(number, 16) for number in line.split()[0].split("-"))
        total += end - begin
print(total)
PY
}
describe() {
  printf '%s GNU_RELRO, %s bytes can be written\n' \
    "$("${bin}readelf" -lW "$1" | grep -c GNU_RELRO)" "$(writable "$1")"
}

whole=$(describe "$library")
comment=$(describe "$tmp/comment.so")
identifier=$(describe "$tmp/identifier.so")
echo "libz.so.1 as Debian built it: $whole"
echo "without .comment:             $comment"
echo "without .note.gnu.build-id:"
echo "expected: $whole"
echo "seen:     $identifier"
case "$whole,$comment,$identifier" in
1*",1 "*",0 "*) [ "$whole" = "$comment" ] ;;
*) false ;;
esac || { echo "it has changed" && exit 1; }
