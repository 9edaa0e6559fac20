"""Which port and which lake `make up` takes. `tests/dags/test_up.py` starts it."""

import socket
from pathlib import Path

import pytest

from crypto_lakehouse.demo import up
from crypto_lakehouse.demo.place import Place
from crypto_lakehouse.demo.up import chosen_port, opened
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.settings import load_settings


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def test_our_variable_wins_over_airflow_s() -> None:
    ours, theirs = free_port(), free_port()
    assert chosen_port({"AIRFLOW_PORT": ours, "AIRFLOW__API__PORT": theirs}) == int(ours)
    assert chosen_port({"AIRFLOW__API__PORT": theirs}) == int(theirs)


def test_a_taken_port_is_refused_by_its_number_with_the_way_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InvalidRequest, match=rf"port {port} is in use") as refusal:
            chosen_port({"AIRFLOW_PORT": str(port)})
    assert "AIRFLOW_PORT=" in refusal.value.advice
    assert chosen_port({"AIRFLOW_PORT": str(port)}) == port, "the control: it is free again"


@pytest.mark.parametrize("text", ["web", "0", "65536", "-1", "80.5"])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="is not a port"):
        chosen_port({"AIRFLOW_PORT": text})


def test_the_environment_s_lake_wins_over_the_demonstration_s(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # The demonstration's place has no server here: of a bucket that exists, none is started.
    monkeypatch.setattr(up, "latest_place", lambda: Place("the bucket b", tmp_path / "demo", None, "b"))
    monkeypatch.delenv("CRYPTO_LAKEHOUSE_LAKE", raising=False)
    with opened() as chosen:
        assert chosen.environment["CRYPTO_LAKEHOUSE_LAKE"] == str(tmp_path / "demo" / "lake")
        assert chosen.environment["CRYPTO_LAKEHOUSE_ARCHIVE__BUCKET"] == "b"
    load_settings.cache_clear()
    monkeypatch.setenv("CRYPTO_LAKEHOUSE_LAKE", "own/lake")
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "7")
    monkeypatch.chdir(tmp_path)
    with opened() as chosen:
        assert chosen.environment["CRYPTO_LAKEHOUSE_LAKE"] == str(tmp_path / "own" / "lake")
        assert chosen.environment["AIRFLOW__CORE__PARALLELISM"] == "7"
        assert "CRYPTO_LAKEHOUSE_ARCHIVE__BUCKET" not in chosen.environment
        assert str(tmp_path / "own" / "lake") in chosen.about[0]
    load_settings.cache_clear()
