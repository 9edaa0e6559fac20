"""The checkout is found by what it contains; an installed package has none."""

import subprocess
import sys
from pathlib import Path

import pytest

from crypto_lakehouse import checkout
from crypto_lakehouse.errors import InvalidRequest


def test_the_tests_run_in_a_checkout() -> None:
    assert checkout.find_checkout() == Path(__file__).parents[2]
    assert checkout.require_checkout() == checkout.find_checkout()


def test_an_installed_package_has_no_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkout, "_ROOT", tmp_path)
    assert checkout.find_checkout() is None
    (tmp_path / "pyproject.toml").touch()
    assert checkout.find_checkout() is None, "another project's file is none"
    with pytest.raises(InvalidRequest, match="needs a checkout") as refusal:
        checkout.require_checkout()
    assert "make setup" in refusal.value.advice


def test_the_demonstration_of_an_installed_package_ends_with_a_clear_error(tmp_path: Path) -> None:
    # A copy elsewhere is what an installation is, to the module.
    (tmp_path / "crypto_lakehouse").symlink_to(Path(checkout.__file__).parent, target_is_directory=True)
    run = subprocess.run(
        [sys.executable, "-m", "crypto_lakehouse.demo"],
        env={"PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 65
    assert "needs a checkout" in run.stdout
    assert "Traceback" not in run.stderr
