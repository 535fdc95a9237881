# The images of the tests. They are made from nothing (no registry of images is asked), as root file systems in
# build/engines/images/ that later runs use again, and imported into each engine. To be sourced.
# shellcheck shell=bash

# image_root busybox|bare|python: the path of the tar with that root file system, which is made if it is not there.
image_root() {
    local busybox sum file
    busybox=$(command -v busybox) || return 1
    # The name has a digest of what the image is made of, so that an outdated image is never used.
    sum=$(cat "$ENGINES_HERE"/images.sh "$ENGINES_HERE"/images/*.c "$busybox" "$ENGINES_REQUIREMENTS" | sha256sum | cut -c1-12)
    file=$ENGINES_IMAGES/$1-$sum.tar
    if [ ! -e "$file" ]; then
        mkdir -p "$ENGINES_IMAGES"
        # Several processes may make the image at the same time.
        (
            flock 8
            [ -e "$file" ] || "make_$1" "$file" >&2
        ) 8>"$ENGINES_IMAGES/.lock" || return 1
    fi
    echo "$file"
}

compile_static() {
    "${CC:-gcc}" -std=c11 -O1 -static -s -o "$2" "$ENGINES_HERE/images/$1.c"
}

# pack DIRECTORY FILE: as a tar whose name appears when it is whole; older ones of the name go.
pack() {
    local old
    tar -C "$1" --numeric-owner --sort=name --mtime=@0 -cf "$2.new" . || return 1
    for old in "${2%-*}"-*.tar; do rm -f "$old"; done
    mv "$2.new" "$2"
}

make_busybox() {
    local root applet status=0
    root=$(mktemp -d "$ENGINES_IMAGES/root.XXXXXX") || return 1
    {
        mkdir -p "$root"/{bin,sbin,usr/bin,etc,dev,proc,sys,root,home/worker} &&
            mkdir -m 1777 "$root/tmp" &&
            cp "$(command -v busybox)" "$root/bin/busybox" && chmod 755 "$root" "$root/bin/busybox" &&
            for applet in $("$root/bin/busybox" --list); do
                [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet" || return 1
            done &&
            printf 'root:x:0:0:root:/root:/bin/sh\nworker:x:1000:1000:worker:/home/worker:/bin/sh\n' >"$root/etc/passwd" &&
            printf 'root:x:0:\nworker:x:1000:\n' >"$root/etc/group" &&
            chown -R 0:0 "$root" && chown 1000:1000 "$root/home/worker" &&
            compile_static eat-memory "$root/bin/eat-memory" &&
            compile_static burst "$root/bin/burst" &&
            pack "$root" "$1"
    } || status=1
    rm -rf "$root"
    return $status
}

make_bare() {
    local root status=0
    root=$(mktemp -d "$ENGINES_IMAGES/root.XXXXXX") || return 1
    { chmod 755 "$root" && compile_static prog "$root/prog" && pack "$root" "$1"; } || status=1
    rm -rf "$root"
    return $status
}

# Debian with Python, and papermill from PyPI. It is fetched here, where pip works as on this machine: nothing in a
# container needs a network. /wheels has a package that is not installed.
make_python() {
    local root status=0 version
    root=$(mktemp -d "$ENGINES_IMAGES/root.XXXXXX") || return 1
    {
        debootstrap --variant=minbase --include=python3,python3-venv "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$root" >"$ENGINES_IMAGES/debootstrap.log" 2>&1 &&
            version=$(chroot "$root" python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])') &&
            grep -E '^(papermill|ipykernel)==' "$ENGINES_REQUIREMENTS" >"$root/tmp/requirements" &&
            "${PYTHON:-python3}" -m pip download -q --disable-pip-version-check -d "$root/tmp/wheels" --python-version "$version" \
                --implementation cp --only-binary=:all: -r "$root/tmp/requirements" &&
            "${PYTHON:-python3}" -m pip download -q --disable-pip-version-check -d "$root/wheels" --no-deps \
                "$(grep '^iniconfig==' "$ENGINES_REQUIREMENTS")" &&
            chroot "$root" env -i PATH=/usr/bin:/bin HOME=/root python3 -m venv /opt/python &&
            chroot "$root" env -i PATH=/usr/bin:/bin HOME=/root /opt/python/bin/pip install -q --no-cache-dir --no-index \
                --find-links /tmp/wheels -r /tmp/requirements &&
            rm -rf "$root"/tmp/* "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,locale,man}/* &&
            printf 'worker:x:1000:1000:worker:/home/worker:/bin/sh\n' >>"$root/etc/passwd" &&
            pack "$root" "$1"
    } || status=1
    rm -rf "$root"
    return $status
}

# Prints a text escaped for a URL.
url_part() {
    local LC_ALL=C text=$1 i
    for ((i = 0; i < ${#text}; i++)); do
        case ${text:i:1} in
        [A-Za-z0-9._~-]) printf %s "${text:i:1}" ;;
        *) printf '%%%02X' "'${text:i:1}" ;;
        esac
    done
}

# engine_call SOCKET METHOD PATH [curl's arguments...]: one call of an engine's API; the answer is printed.
# An error that comes in an answer that began well (the engines stream) is a failure as well.
engine_call() {
    local socket=$1 method=$2 path=$3 answer
    shift 3
    answer=$(curl -sS --max-time "$ENGINES_TIMEOUT" --unix-socket "$socket" -X "$method" -H 'Expect:' \
        -w '\n%{http_code}' "$@" "http://engine$path" 2>&1) || refuse "$method $path: ${answer//$'\n'/ }" || return 1
    case ${answer##*$'\n'} in 2??) ;; *) refuse "$method $path: ${answer//$'\n'/ }" || return 1 ;; esac
    answer=${answer%$'\n'*}
    ! grep -q '"errorDetail"' <<<"$answer" || refuse "$method $path: $(grep -o '"error":.*' <<<"$answer" | tail -n 1)" || return 1
    printf '%s\n' "$answer"
}

# import_image SOCKET TAR NAME:TAG [CHANGE...]: each change is one line as of a Dockerfile.
import_image() {
    local socket=$1 tar=$2 query change
    # The tag is part of the name, because Podman ignores the separate parameter.
    query="fromSrc=-&repo=$(url_part "$3")"
    shift 3
    for change in "$@"; do query="$query&changes=$(url_part "$change")"; done
    engine_call "$socket" POST "/images/create?$query" -T "$tar" -H 'Content-Type: application/x-tar' >/dev/null
}

# import_images SOCKET: imports the images that every engine has.
import_images() {
    local busybox bare
    busybox=$(image_root busybox) && bare=$(image_root bare) || refuse "the images cannot be made" || return 1
    import_image "$1" "$busybox" fw-test/busybox:1 'ENV PATH=/bin:/sbin:/usr/bin' 'CMD ["/bin/sh"]' &&
        import_image "$1" "$bare" fw-test/bare:1 'CMD ["/prog"]' &&
        import_image "$1" "$busybox" fw-test/entry:1 'ENV PATH=/bin:/sbin:/usr/bin' 'ENV FROM_IMAGE=yes' \
            'ENTRYPOINT ["/bin/echo","entry"]' 'WORKDIR /app' 'USER 1000'
}

# import_python SOCKET: the base of images for notebooks. pip asks nobody, so what is not there is missing at once.
import_python() {
    local python
    python=$(image_root python) || refuse "the image with Python cannot be made: $(tail -n 1 "$ENGINES_IMAGES/debootstrap.log")" || return 1
    import_image "$1" "$python" fw-test/python:1 'ENV PATH=/opt/python/bin:/usr/bin:/bin' 'ENV PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels' 'CMD ["python3"]'
}
