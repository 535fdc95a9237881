#!/usr/bin/env bash
# Installs or removes the files of the C library; `make install` and `make uninstall` call it.
#
#   install.sh install|uninstall FILE_OF_THE_LIBRARY VERSION
#
# The environment has PREFIX, LIBDIR, DOCDIR and DESTDIR. Relative paths are taken from the current directory. Nothing is
# changed unless every file could be written.
set -eEuo pipefail
export LC_ALL=C

[ $# -eq 3 ] || { sed -n '4p' "${BASH_SOURCE[0]}" | cut -c3- >&2; exit 2; }
action=$1 library=$2 version=$3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
soname=$(basename "$library")

fail() {
    echo "make $action: $*" >&2
    exit 1
}

# The paths are in files that programs find the library by, so each must mean the same in every directory.
for name in PREFIX LIBDIR DOCDIR DESTDIR; do
    case $name=${!name} in
    DESTDIR=) continue ;;
    *=) fail "$name is empty; it should be a directory, such as /usr/local" ;;
    *$'\n'*) fail "$name has a line break" ;;
    *=~*) fail "$name begins with ~, which this shell did not replace by a directory: \"${!name}\"" ;;
    esac
    printf -v "$name" '%s' "$(realpath -ms -- "${!name}")"
done

included=$DESTDIR$PREFIX/include libraries=$DESTDIR$LIBDIR documents=$DESTDIR$DOCDIR
# Pairs of a file and the place where it goes.
files=(
    "$library" "$libraries/$soname"
    "$here/flowworker.pc.in" "$libraries/pkgconfig/flowworker.pc"
    "$here/flowworker-config.cmake.in" "$libraries/cmake/flowworker/flowworker-config.cmake"
    "$here/flowworker-config-version.cmake.in" "$libraries/cmake/flowworker/flowworker-config-version.cmake"
)
for header in "$root"/include/*.h*; do files+=("$header" "$included/${header##*/}"); done
# The documents keep their places to each other, because they have links to each other.
while read -r document; do files+=("$root/$document" "$documents/$document"); done < <(
    cd "$root"
    find -L README.md CHANGELOG.md LICENSE docs examples -type f ! -path '*/.*' ! -path '*/__pycache__/*'
)
# The directories of those files, without the parents that are in the list.
mapfile -t folders < <(for ((i = 1; i < ${#files[@]}; i += 2)); do dirname "${files[i]}"; done | sort -u)

# From one folder to another, so that an installed tree can be moved. The characters that sed knows are escaped.
from() {
    realpath -ms --relative-to="$1" "$2" | sed 's/[&|\\]/\\&/g'
}

# Writes a file under a temporary name beside its place.
write() {
    case $1 in
    *.in) sed -e "s|@VERSION@|$version|; s|@SONAME@|$soname|" \
        -e "s|@PREFIX_FROM_PKGCONFIG@|$(from "$LIBDIR/pkgconfig" "$PREFIX")|" \
        -e "s|@LIBDIR_FROM_PKGCONFIG@|$(from "$LIBDIR/pkgconfig" "$LIBDIR")|" \
        -e "s|@PREFIX_FROM_CMAKE@|$(from "$LIBDIR/cmake/flowworker" "$PREFIX")|" \
        -e "s|@LIBDIR_FROM_CMAKE@|$(from "$LIBDIR/cmake/flowworker" "$LIBDIR")|" "$1" >"$2.new" && chmod 644 "$2.new" ;;
    "$library") install -m 755 "$1" "$2.new" ;;
    *) install -m 644 "$1" "$2.new" ;;
    esac
}

made=()
undo() {
    local i
    for ((i = 1; i < ${#files[@]}; i += 2)); do rm -f "${files[i]}.new"; done
    for ((i = ${#made[@]} - 1; i >= 0; i--)); do rmdir "${made[i]}" 2>/dev/null || true; done
}

# Makes a folder and remembers which of its parents are new.
make_folder() {
    [ -d "$1" ] && return
    [ "$1" = "$(dirname "$1")" ] || make_folder "$(dirname "$1")" || return
    mkdir "$1" && made+=("$1")
}

install_all() {
    local i folder
    trap 'undo; fail "nothing was installed"' ERR INT TERM
    for folder in "${folders[@]}"; do make_folder "$folder"; done
    for ((i = 0; i < ${#files[@]}; i += 2)); do
        [ ! -d "${files[i + 1]}" ] || { echo "${files[i + 1]} is a directory" >&2 && false; }
        write "${files[i]}" "${files[i + 1]}"
    done
    trap - ERR INT TERM
    for ((i = 1; i < ${#files[@]}; i += 2)); do mv -f "${files[i]}.new" "${files[i]}"; done
    ln -sfn "$soname" "$libraries/libflowworker.so"
    echo "installed flowworker $version: $included/flowworker.h, $libraries/libflowworker.so, $documents"
}

uninstall_all() {
    local i
    for ((i = 1; i < ${#files[@]}; i += 2)); do rm -f "${files[i]}"; done
    rm -f "$libraries/libflowworker.so"
    # These folders belong to the library; the others are left, even if they are empty.
    for ((i = ${#folders[@]} - 1; i >= 0; i--)); do
        case ${folders[i]} in
        "$libraries/cmake/flowworker" | "$documents" | "$documents"/*) rmdir "${folders[i]}" 2>/dev/null || true ;;
        esac
    done
    echo "removed flowworker $version: $included/flowworker.h, $libraries/libflowworker.so, $documents"
}

case $action in
install) install_all ;;
uninstall) uninstall_all ;;
*) fail "unknown action" ;;
esac
