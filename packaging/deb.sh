#!/usr/bin/env bash
# Builds the Debian packages from a built library, and checks them with lintian; `make deb` calls it.
#
#   deb.sh LIBRARY FOLDER
#
# The packages go to FOLDER, which is made anew.
set -euo pipefail

[ $# -eq 2 ] || { sed -n '4p' "${BASH_SOURCE[0]}" | cut -c3- >&2; exit 2; }
library=$1 folder=$2
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tree=$folder/tree

rm -rf "$folder"
mkdir -p "$tree/build/lib" "$tree/bindings/python"
cp "$library" "$tree/build/lib/"
cp -r "$root"/{README.md,CHANGELOG.md,LICENSE,include,docs,examples} "$tree/"
cp -r "$root/bindings/c" "$tree/bindings/"
cp "$root/bindings/python/pyproject.toml" "$tree/bindings/python/"
# One module is a link to a file of the runner. A library that a wheel was made of does not belong in this package.
cp -rL "$root/bindings/python/flowworker" "$tree/bindings/python/"
find "$tree" \( -name __pycache__ -o -name 'libflowworker.so*' ! -path '*/build/lib/*' \) -prune -exec rm -rf {} +
cp -r "$root/packaging/debian" "$tree/debian"

(cd "$tree" && dpkg-buildpackage --build=binary --no-sign --no-check-builddeps) >"$folder/log" 2>&1 || {
    tail -n 20 "$folder/log" >&2
    echo "make deb: dpkg-buildpackage failed; $folder/log has all that it said" >&2
    exit 1
}
lintian --allow-root --fail-on error,warning --display-info "$folder"/*.changes | tee "$folder/lintian.log"
rm -r "$tree"
ls "$folder"/*.deb
