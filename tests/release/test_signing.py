"""Signing and publishing: what is signed is a digest, and nothing is signed by halves. The programs are stand-ins."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from crypto_lakehouse import __version__
from tests.release.tools import PROJECT

ONE, TWO = f"{1:064x}", f"{2:064x}"
STAND_IN = """\
#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
case "$*" in *"$REFUSED"*) exit 7;; esac
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder as `make images-push` and `make images-sbom` leave it, with stand-ins of the programs."""
    for folder in ("dist", "sbom", "bin"):
        (tmp_path / folder).mkdir()
    (tmp_path / "dist" / "images.sha256").write_text(f"{ONE}  host/lake/polars\n{TWO}  host/lake/s5cmd\n")
    for name in ("polars", "s5cmd"):
        (tmp_path / "sbom" / f"{name}.cdx.json").write_text("{}")
    for name in ("cosign", "gh"):
        program = tmp_path / "bin" / name
        program.write_text(STAND_IN)
        program.chmod(0o755)
    return tmp_path


def run(place: Path, *command: str, refused: str = "nothing at all") -> tuple[int, list[str]]:
    """Returns the exit code, and what the stand-ins were called with."""
    calls = place / "calls"
    path = f"{place / 'bin'}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "CALLS": str(calls), "REFUSED": refused}
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, calls.read_text().splitlines() if calls.exists() else []


def sign(place: Path, *words: str, refused: str = "nothing at all") -> tuple[int, list[str]]:
    return run(place, sys.executable, str(PROJECT / "release" / "sign.py"), *words, refused=refused)


def test_each_digest_is_signed_and_gets_its_bill(place: Path) -> None:
    bill = "cosign attest --yes --type cyclonedx --predicate sbom/"
    assert sign(place) == (
        0,
        [
            f"cosign sign --yes host/lake/polars@sha256:{ONE}",
            f"{bill}polars.cdx.json host/lake/polars@sha256:{ONE}",
            f"cosign sign --yes host/lake/s5cmd@sha256:{TWO}",
            f"{bill}s5cmd.cdx.json host/lake/s5cmd@sha256:{TWO}",
        ],
    )


def test_a_rehearsal_signs_nothing(place: Path) -> None:
    assert sign(place, "--dry-run") == (0, [])


def test_a_signature_that_is_refused_ends_it(place: Path) -> None:
    code, calls = sign(place, refused="attest")
    assert code == 7
    assert len(calls) == 2


@pytest.mark.parametrize("missing", ["sbom/s5cmd.cdx.json", "dist/images.sha256"])
def test_nothing_is_signed_where_something_is_missing(place: Path, missing: str) -> None:
    (place / missing).unlink()
    assert sign(place) == (2, [])


def test_nothing_is_signed_where_nothing_was_pushed(place: Path) -> None:
    (place / "dist" / "images.sha256").write_text("")
    assert sign(place) == (2, [])


def test_a_release_has_its_notes_package_digests_and_bills(place: Path) -> None:
    (place / "dist" / "one.whl").write_text("")
    (place / "include").symlink_to(PROJECT / "include")
    code, calls = run(place, "make", "--file", str(PROJECT / "Makefile"), "release-publish")
    assert code == 0
    assert calls == [
        f"gh release create v{__version__} --verify-tag --title v{__version__} --notes-file dist/notes.md dist/one.whl "
        "dist/SHA256SUMS dist/images.sha256 sbom/polars.cdx.json sbom/s5cmd.cdx.json"
    ]


ENGINE = """\
#!/bin/sh
echo "docker $*" >> "$CALLS"
case "$*" in "image inspect"*) echo '["elsewhere/polars@sha256:{two}", "{name}@sha256:{one}"]';; esac
"""


@pytest.mark.parametrize(
    ("repository", "listed"),
    [
        ("host/lake/polars", "host/lake/polars"),
        ("docker.io/me/polars", "me/polars"),
        ("index.docker.io/me/polars", "me/polars"),
        ("docker.io/library/polars", "polars"),
        ("me/polars", "me/polars"),
    ],
)
def test_a_digest_is_found_by_the_name_that_the_engine_lists(place: Path, repository: str, listed: str) -> None:
    (place / "dist" / "images.sha256").unlink()
    (place / "bin" / "docker").write_text(ENGINE.format(name=listed, one=ONE, two=TWO))
    (place / "bin" / "docker").chmod(0o755)
    code, calls = run(place, sys.executable, str(PROJECT / "release" / "registry.py"), "push", f"{repository}:1.2.3")
    assert (code, calls[0]) == (0, f"docker push --quiet {repository}:1.2.3")
    assert (place / "dist" / "images.sha256").read_text() == f"{ONE}  {repository}\n"


def test_a_digest_that_the_engine_does_not_list_is_an_error_and_no_file(place: Path) -> None:
    (place / "bin" / "docker").write_text(ENGINE.format(name="somebody/polars", one=ONE, two=TWO))
    (place / "bin" / "docker").chmod(0o755)
    script = str(PROJECT / "release" / "registry.py")
    assert run(place, sys.executable, script, "push", "host/lake/polars:1.2.3")[0] == 1
    assert not (place / "dist" / "images.sha256").exists()


def test_login_wants_a_host_and_a_password(place: Path) -> None:
    script = str(PROJECT / "release" / "registry.py")
    assert run(place, sys.executable, script, "login", "host/lake") == (2, [])
