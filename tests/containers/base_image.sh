#!/usr/bin/env bash
# Makes an image that stands in for python:3.12-slim-bookworm where no image registry can be reached. Like the official
# one it is Debian's smallest system, what Python needs of it, and a build of Python in /usr/local without its tests;
# that build is this machine's own where it has one of the version that runs on Debian's libraries, and Debian's
# Python 3.11 otherwise. Usage: base_image.sh TAG [PYTHON]
set -euo pipefail
tag="${1:?give a tag}"
python="${2:-python3.12}"
root="$(mktemp -d)"
trap 'rm -rf "$root"' EXIT
libraries=ca-certificates,libbz2-1.0,libffi8,liblzma5,libncursesw6,libreadline8,libsqlite3-0,libssl3,libuuid1,zlib1g,tzdata

# Prints the folder of a build of Python that is of its own, not the system's, and made on this Debian.
own_build() {
  grep -q '^VERSION_CODENAME=bookworm' /etc/os-release || return 1
  local found
  for found in "$(command -v "$python" || true)" "$HOME"/.pyenv/versions/"${python#python}".*/bin/"$python"; do
    [ -x "$found" ] && found="$("$found" -c 'import sys; print(sys.base_prefix)' 2>/dev/null)" &&
      [ "$found" != /usr ] && echo "$found" && return 0
  done
  return 1
}

if prefix="$(own_build)"; then
  debootstrap --variant=minbase --include="$libraries" bookworm "$root/system" >&2
  tar -C "$prefix" -c --exclude='*/test' --exclude='*/tests' --exclude='*/idle_test' --exclude='__pycache__' \
    --exclude='*.a' --exclude='*/site-packages/*' "bin/$python" include lib |
    tar -C "$root/system/usr/local" -x --no-same-owner
  chroot "$root/system" ldconfig
  chroot "$root/system" "/usr/local/bin/$python" -m ensurepip --default-pip >&2
  ln -sf "$python" "$root/system/usr/local/bin/python3"
  ln -sf "$python" "$root/system/usr/local/bin/python"
else
  debootstrap --variant=minbase --include=python3,python3-venv,python3-pip,ca-certificates bookworm "$root/system" >&2
fi
cp /etc/ssl/certs/ca-certificates.crt "$root/system/etc/ssl/certs/ca-certificates.crt"
rm -rf "$root"/system/var/cache/apt/* "$root"/system/var/lib/apt/lists/* "$root"/system/usr/share/doc/*
# pip brings its own list of certificates unless told of the system's.
tar -C "$root/system" --numeric-owner -c . |
  docker import \
    --change 'ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt' \
    --change 'CMD ["python3"]' - "$tag"
