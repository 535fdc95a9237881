#!/bin/bash
# Runs in a chroot: installs the packages of /packages, uses them as a user does, and removes them.
#
#   inside.sh develop|run
#
# `develop` needs a compiler, pkg-config and CMake, and installs all packages; `run` installs what a Python host needs. Each
# check prints a line "ok NAME" or "FAILED NAME".
set -u
library=/usr/lib/x86_64-linux-gnu/libflowworker.so.0
work=$(mktemp -d)
cd "$work" || exit 1

check() {
    local name=$1 log=$work/log
    shift
    if "$@" >"$log" 2>&1; then
        echo "ok $name"
    else
        echo "FAILED $name"
        sed 's/^/    /' "$log" | tail -n 15
    fi
}

# All files but the lists and logs of the package manager, the cache of ldconfig, and this directory.
files() {
    find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /packages -o -path /tests -o -path /var/lib/dpkg \
        -o -path /var/log -o -path /var/cache -o -path "$work" \) -prune -o -print | sort
}

# The expected lines, and then a command whose output they are.
prints() {
    local expected=$1 found
    shift
    found=$("$@") || { echo "$* ended with $?: $found" && return 1; }
    [ "$found" = "$expected" ] || { echo "expected: $expected" && echo "found: $found" && return 1; }
}

install_packages() { dpkg --install "$@"; }

# dpkg -V compares each installed file with the package.
installed_whole() {
    local package changed
    for package in "$@"; do
        changed=$(dpkg -V "$package") && [ -z "$changed" ] || { echo "$package: $changed" && return 1; }
    done
    [ "$(stat -c %a "$library")" = 755 ] || { echo "the mode of $library is $(stat -c %a "$library")" && return 1; }
    ldconfig -p | grep -F "=> ${library/\/usr/}" || ldconfig -p | grep -F "=> $library"
}

pkg_config_consumer() {
    local flags
    flags=$(pkg-config --cflags --libs 'flowworker >= 0.1') || return
    # shellcheck disable=SC2086
    cc -std=c11 -Wall -Wextra -Werror -o step /tests/step.c $flags && prints "$version"$'\n'"$library" ./step
}

cxx_consumer() {
    # shellcheck disable=SC2046
    c++ -std=c++17 -Wall -Wextra -Werror -o header /tests/header.cpp $(pkg-config --cflags --libs flowworker) &&
        prints "$version" ./header
}

cmake_consumer() {
    mkdir -p project && cp /tests/CMakeLists.txt /tests/step.c project/ && cmake -S project -B made && cmake --build made &&
        prints "$version"$'\n'"$library" made/step
}

python_host() { prints "$version $version"$'\n'"$library" python3 /tests/step.py; }

# Every document that another one names by a relative link is there.
documents_whole() {
    local folder=/usr/share/doc/libflowworker-dev
    [ -s "$folder/README.md" ] && [ -s "$folder/CHANGELOG.md" ] && [ -n "$(find "$folder/docs" -name '*.md')" ] &&
        [ -s "$folder/examples/run.c" ] || { ls -R "$folder" && return 1; }
    [ -z "$(find "$folder" -name '*.md.gz')" ] || { echo 'documents are compressed' && return 1; }
}

remove_packages() {
    dpkg --purge "$@" || return
    [ "$(files)" = "$before" ] || { echo 'left or missing:' && diff <(echo "$before") <(files); }
    [ -z "$(dpkg --get-selections | grep flowworker)" ]
}

version=$(dpkg-deb --field /packages/libflowworker0_*.deb Version)
before=$(files)
case $1 in
develop)
    packages=(python3-flowworker libflowworker-dev libflowworker0)
    check install install_packages /packages/*.deb
    check whole installed_whole "${packages[@]}"
    check pkg-config pkg_config_consumer
    check c++ cxx_consumer
    check cmake cmake_consumer
    check documents documents_whole
    ;;
run)
    packages=(python3-flowworker libflowworker0)
    check install install_packages /packages/libflowworker0_*.deb /packages/python3-flowworker_*.deb
    check whole installed_whole "${packages[@]}"
    ;;
esac
check python python_host
check again install_packages /packages/libflowworker0_*.deb
check purge remove_packages "${packages[@]}"
