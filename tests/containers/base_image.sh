#!/usr/bin/env bash
# Makes an image that stands in for python:X-slim-bookworm where no image registry can be reached: Debian's smallest
# system with its own Python, as the official image has Debian's smallest system with an own build of Python.
# Of this machine it takes only the certificates that it trusts. Usage: base_image.sh TAG
set -euo pipefail
tag="${1:?give a tag}"
root="$(mktemp -d)"
trap 'rm -rf "$root"' EXIT
debootstrap --variant=minbase --include=python3,python3-venv,python3-pip,ca-certificates bookworm "$root/system" >&2
cp /etc/ssl/certs/ca-certificates.crt "$root/system/etc/ssl/certs/ca-certificates.crt"
rm -rf "$root"/system/var/cache/apt/* "$root"/system/var/lib/apt/lists/* "$root"/system/usr/share/doc/*
# pip brings its own list of certificates unless told of the system's.
tar -C "$root/system" --numeric-owner -c . |
  docker import \
    --change 'ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt' \
    --change 'CMD ["python3"]' - "$tag"
