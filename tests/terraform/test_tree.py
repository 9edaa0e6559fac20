"""The tree by itself: its form, its generated variables, its environments."""

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from crypto_lakehouse.catalog.terraform import VARIABLES, main, render_variables
from crypto_lakehouse.checkout import require_checkout
from crypto_lakehouse.datasets import DATASETS
from crypto_lakehouse.settings import ExchangeSettings
from tests.terraform.stand_in import stand_in
from tests.terraform.terraforming import Tools, workspace

PROJECT = require_checkout()


def test_the_variables_of_the_tables_are_as_fresh_as_the_dataset_table() -> None:
    assert (PROJECT / VARIABLES).read_text(encoding="utf-8") == render_variables(), "run `make docs`"


def test_stale_variables_are_noticed_and_rewritten_once(tmp_path: Path) -> None:
    said: list[str] = []
    assert main(tmp_path, said.append) == main(tmp_path, said.append) == 0
    assert said == [f"rewrote {VARIABLES}"]
    written = json.loads((tmp_path / VARIABLES).read_text(encoding="utf-8"))
    assert sorted(written["tables"]) == sorted(row.name for row in DATASETS)


def test_the_index_of_a_table_starts_with_the_symbol_and_leaves_no_key_out() -> None:
    for name, table in json.loads(render_variables())["tables"].items():
        assert table["index_keys"][0] == "symbol_key", name
        assert sorted(table["index_keys"]) == sorted(table["partition_keys"])


def test_the_network_s_list_of_hosts_is_that_of_the_exchanges_we_ask() -> None:
    variables = (PROJECT / "terraform" / "variables.tf").read_text(encoding="utf-8")
    found = re.search(r'variable "egress_hosts" \{.*?default\s*=\s*(\[.*?\])', variables, re.DOTALL)
    asked = {urlsplit(str(value)).hostname for name, value in ExchangeSettings() if name.endswith("_url")}
    assert found
    assert json.loads(found[1]) == sorted(str(host) for host in asked)


@pytest.mark.long
def test_the_sources_are_formatted(tools: Tools, tmp_path: Path) -> None:
    sources = workspace(tools, tmp_path, "", environment="dev")
    (sources.folder / "provider_override.tf").unlink()
    formatted = sources.run("fmt", "-check", "-recursive", "-diff")
    assert formatted.ok, formatted.text
    (sources.folder / "control.tf").write_text("locals {\n   a   = 1\n bb = 2\n}\n")
    assert not sources.run("fmt", "-check", "-recursive").ok


@pytest.mark.long
def test_the_sources_are_valid(tools: Tools, tmp_path: Path) -> None:
    root = workspace(tools, tmp_path, "", environment="dev")
    for folder in (root, workspace(tools, tmp_path / "state", "", environment="dev").below("state")):
        assert folder.init("-backend=false").ok
        assert folder.run("validate").ok, folder.run("validate", "-no-color").text
    (root.folder / "control.tf").write_text('output "wrong" {\n  value = module.none.such\n}\n')
    assert not root.run("validate").ok


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("force_destroy", True, "is not destroyed by a flag"),
        ("watched_datasets", ["binance_um_book_ticker"], "must be a live one"),
        ("late_after_hours", 31, "multiple of 6"),
        ("zones", ["eu-west-1a"], "zones of the region"),
        ("steps", {"konform": {"cpu": 256, "memory": 512, "storage_gib": 21}}, "one of the table of verbs"),
        ("project", "Lakehouse", "Lower case letters"),
    ],
)
def test_a_variable_that_makes_no_sense_is_refused(
    tools: Tools, tmp_path: Path, name: str, value: object, complaint: str
) -> None:
    with stand_in() as endpoint:
        copy = workspace(tools, tmp_path, endpoint, **{"environment": "prod", name: value})
        refused = copy.with_local_state().plan()
        assert refused.code == 1
        assert complaint in refused.text
