#!/usr/bin/env bash
# Links the release library again, with a seam in which its calls can fail: build/faults/lib. The sources and the release
# library have nothing of the seam.
#
#     Tests/faults/build.sh        after `make lib`, whose objects it takes
#
# The objects of Swift and C are those of the release. The calls of calls.h go to seam.c (--wrap), allocations of the
# objects get another name, and the supervisor, which makes its own system calls, is compiled again behind
# supervisor_seam.h.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
release=$root/.build-release/release
work=$root/build/faults
objects=$work/objects
toolchain=$(dirname "$(command -v swiftc)")
clang=$toolchain/clang
[ -x "$clang" ] || clang=$(dirname "$(readlink -f "$toolchain/swiftc")")/clang
list=$release/flowworker.product/Objects.LinkFileList
[ -e "$list" ] || { echo "the objects of the library are not in .build-release: make lib" >&2; exit 1; }
rm -rf "$objects" && mkdir -p "$objects" "$work/lib"

# The files of the list, wherever the build folder was when it was written.
mapfile -t files < <(tr -d "'\"" <"$list" | sed "s|.*/release/|$release/|" | grep -v '/CSupervisor\.build/')
for at in "${!files[@]}"; do
    file=${files[$at]}
    nm -u "$file" | grep -qwE 'U (malloc|calloc|realloc|strdup)' || continue
    renamed=$objects/$at.o
    symbols=(--redefine-sym calloc=fault_calloc --redefine-sym realloc=fault_realloc --redefine-sym strdup=fault_strdup)
    # The Swift compiler calls malloc itself, for frames of accessors, and counts on it. Sources in Swift call the others.
    case $file in */C[A-Z]*.build/*) symbols+=(--redefine-sym malloc=fault_malloc) ;; esac
    objcopy "${symbols[@]}" "$file" "$renamed"
    files[at]=$renamed
done

# The flags of Package.swift, in one place there.
mapfile -t flags < <(sed -n '/name: "CSupervisor",/,/\]),/p' "$root/Package.swift" | grep -o '"-[^"]*"' | tr -d '"')
for source in "$root"/Sources/CSupervisor/*.c; do
    "$clang" "${flags[@]}" -fPIC -g -I "$root/Sources/CSupervisor" -I "$here" -include "$here/supervisor_seam.h" \
        -c "$source" -o "$objects/$(basename "$source" .c).supervisor.o"
done
"$clang" "${flags[@]}" -fPIC -g -I "$root/Sources/CSupervisor" -I "$here" \
    -c "$here/supervisor_seam.c" -o "$objects/seam.supervisor.o"
"$clang" -O2 -fPIC -g -Wall -Wextra -fvisibility=hidden -c "$here/seam.c" -o "$objects/seam.o"

wraps=(-Xlinker --wrap=fwsv_clone -Xlinker --wrap=fwsv_clone_into -Xlinker --wrap=syscall)
for name in $(sed -nE -e 's/^(CALL|PART|CODE)\([^,]*, ([a-z_0-9]+),.*/\2/p' \
    -e 's/^HAND\(([a-z_0-9]+),.*/\1/p' "$here/calls.h"); do
    wraps+=(-Xlinker "--wrap=$name")
done
swiftc -emit-library -static-stdlib -use-ld=lld -module-name flowworker -o "$work/lib/libflowworker.so.0" \
    "${files[@]}" "$objects"/*.supervisor.o "$objects/seam.o" \
    -L"$(pkg-config --variable=libdir jansson)" -ljansson -lstdc++ -Xlinker --gc-sections -Xlinker -z -Xlinker now \
    -Xlinker "--version-script=$root/Sources/FlowWorkerABI/flowworker.map" -Xlinker -soname=libflowworker.so.0 \
    -Xlinker --entry=fwsv_entry -Xlinker -z -Xlinker nodelete "${wraps[@]}"
ln -sf libflowworker.so.0 "$work/lib/libflowworker.so"
cc -std=c11 -g -Wall -Wextra -Werror -I "$root/include" -o "$work/host" "$here/host.c" "$here/host_engines.c" \
    -L"$work/lib" -Wl,-rpath,"$work/lib" -lflowworker -ljansson -lpthread
