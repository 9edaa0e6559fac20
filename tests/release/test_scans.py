"""The scans for secrets and dangerous calls see what they are for; that they find nothing is `make security`."""

import subprocess
from pathlib import Path

from tests.release.tools import tool


def exit_code(name: str, *words: str, folder: Path) -> int:
    command = [tool(name), *words]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode


def test_a_key_in_a_file_is_found(tmp_path: Path) -> None:
    # Put together here, so that the scan of this file finds none.
    key = "AKIA" + "Z7QX" * 4
    (tmp_path / "bad.py").write_text(f'key = "{key}"\n')
    (tmp_path / "good.py").write_text("key = None\n")
    assert exit_code("detect-secrets-hook", "good.py", folder=tmp_path) == 0
    assert exit_code("detect-secrets-hook", "bad.py", folder=tmp_path) == 1


def test_a_shell_s_command_made_of_words_is_found(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("import subprocess\n\nsubprocess.run(input(), shell=True)\n")
    (tmp_path / "good.py").write_text("print(1)\n")
    assert exit_code("bandit", "--severity-level", "high", "good.py", folder=tmp_path) == 0
    assert exit_code("bandit", "--severity-level", "high", "bad.py", folder=tmp_path) == 1
