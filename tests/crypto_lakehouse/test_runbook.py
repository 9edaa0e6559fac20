"""The runbook has an entry for each red state and each class of errors, and each link to it leads to an entry."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from crypto_lakehouse import exit_codes
from crypto_lakehouse.cli import main
from crypto_lakehouse.errors import SourceUnavailable
from crypto_lakehouse.exchange.venue import GRAVE_STATUSES, Meaning
from crypto_lakehouse.runbook import ENTRIES_OF_ERRORS, Entry, entry_of, with_entry
from crypto_lakehouse.runs.history import RunStatus
from crypto_lakehouse.settings import PREFIX, Settings
from crypto_lakehouse.vocabulary import Condition, Step

REPOSITORY = Path(__file__).parents[2]
INCLUDE = REPOSITORY / "include"
RUNBOOK = (REPOSITORY / "docs" / "runbook.md").read_text(encoding="utf-8")
LINK = re.compile(r"runbook\.md#([a-z0-9-]+)")
KEY = re.compile(r"`([a-z]+)\.(?!log)([a-z_]+)`")
CODE = re.compile(r"`([^`]+)`", re.DOTALL)


def anchors(page: str) -> dict[str, str]:
    """Returns the text of each entry by the anchor of its heading."""
    parts = re.split(r"^### (.+)$", page, flags=re.MULTILINE)[1:]
    titles, texts = parts[::2], parts[1::2]
    return {anchor(title): text.partition("\n## ")[0] for title, text in zip(titles, texts, strict=True)}


def anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")


ENTRIES = anchors(RUNBOOK)


def error_classes() -> Iterator[str]:
    """Yields the name of each class of errors that messages show: of the lake, and of its tasks in Airflow."""
    for package in ("crypto_lakehouse", "lakehouse_airflow"):
        known = {"Exception", "ValueError", "SystemExit"}
        for node in ast.parse((INCLUDE / package / "errors.py").read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and known & {
                base.id for base in node.bases if isinstance(base, ast.Name)
            }:
                known.add(node.name)
                yield node.name


ERRORS = sorted(error_classes())


def lacks(page: str, entry: Entry, words: str) -> bool:
    """Returns whether an entry of a page is missing, or does not have some words."""
    return words not in " ".join(anchors(page).get(entry, "").split())


_OF_MEANING = {
    Meaning.WAIT: Entry.EXCHANGE_LIMITS,
    Meaning.BLOCKED: Entry.EXCHANGE_REFUSES,
    Meaning.AGAIN: Entry.EXCHANGE_SILENT,
}

RED_STATES: list[tuple[Entry, str]] = [
    *((entry_of(name), f"`{name}`") for name in ERRORS),
    *((entry_of("SourceUnavailable", step), "`SourceUnavailable`") for step in Step),
    (Entry.STEP_FAILED, f"`{RunStatus.FAILED}`"),
    (Entry.PARTITION_REFUSED, f"`{RunStatus.QUARANTINED}`"),
    (Entry.PARTITION_REFUSED, f"`{Condition.QUARANTINED}`"),
    *((_OF_MEANING[what], str(status)) for status, what in GRAVE_STATUSES.items()),
    (Entry.STEP_UNFINISHED, "137"),
    (Entry.STEP_UNFINISHED, "did not finish"),
    (Entry.PARTITION_HELD_BACK, "held back: "),
    (Entry.OBJECT_REFUSED, "CHECKSUM"),
    (Entry.REQUEST_INVALID, "there is no Param"),
    (Entry.MACHINE_FULL, "`df -h`"),
    (Entry.FILE_DAMAGED, "`log_damaged`"),
    (Entry.FILE_DAMAGED, "`crypto-lakehouse catalog rebuild`"),
    (Entry.LAKE_SILENT, "database is locked"),
    (Entry.LAKE_SILENT, "no lock stays behind"),
    (Entry.SCHEDULER_DEAD, "`airflow jobs check --job-type SchedulerJob`"),
    (Entry.SCHEDULER_DEAD, "Airflow's scheduler ended with exit code"),
    (Entry.DATASET_LATE, "paused"),
    (Entry.DAG_MISSING, "`airflow dags list-import-errors`"),
    (Entry.BUG, "traceback"),
]
"""Each red state by its entry, and words by which an operator finds it there."""


def test_each_entry_says_what_to_know_of_a_red_state() -> None:
    parts = ("**Meaning.**", "**By itself.**", "**Action.**", "**Over when**")
    lacking = {name: [part for part in parts if part not in text] for name, text in ENTRIES.items()}
    assert {name: parts for name, parts in lacking.items() if parts} == {}


def test_the_page_has_the_entries_that_messages_know_and_no_other() -> None:
    assert list(ENTRIES) == [entry.value for entry in Entry]


def test_each_class_of_errors_has_an_entry() -> None:
    assert sorted(ENTRIES_OF_ERRORS) == ERRORS
    assert len(ERRORS) > 20, "the control: they are found"
    assert entry_of("NoSuchError") is Entry.BUG


@pytest.mark.parametrize(("entry", "words"), RED_STATES, ids=str)
def test_each_red_state_is_explained_by_its_entry(entry: Entry, words: str) -> None:
    assert not lacks(RUNBOOK, entry, words)
    title = next(title for title in re.findall(r"^### (.+)$", RUNBOOK, flags=re.MULTILINE) if anchor(title) == entry)
    assert lacks(RUNBOOK.replace(f"### {title}", "### Another"), entry, words), "the control: a lost entry is noticed"


def test_each_exit_code_of_a_failure_is_named() -> None:
    codes = {
        getattr(exit_codes, name) for name in ("EXIT_USAGE", "EXIT_PERMANENT", "EXIT_UNEXPECTED", "EXIT_TRANSIENT")
    }
    assert [code for code in codes if not re.search(rf"exit code {code}\b", RUNBOOK, re.IGNORECASE)] == []
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", RUNBOOK, re.MULTILINE)} == {exit_codes.EXIT_OK, *codes}


def test_each_link_to_the_runbook_leads_to_an_entry() -> None:
    sources = [*REPOSITORY.glob("docs/*.md"), *REPOSITORY.glob("*.md"), *REPOSITORY.glob("include/**/*.py")]
    links = {name for page in sources for name in LINK.findall(page.read_text(encoding="utf-8"))}
    assert links
    assert links - set(ENTRIES) == set()


def commands() -> list[tuple[str, tuple[str, ...]]]:
    """Returns the commands that the page names, each with its options."""
    named = {" ".join(code.split()) for code in CODE.findall(RUNBOOK)}
    ours = [code.split()[1:] for code in sorted(named) if code.startswith("crypto-lakehouse ")]
    found = {
        (" ".join(words[:2] if not words[0].startswith("-") else []), tuple(w for w in words if w.startswith("--")))
        for words in ours
    }
    return sorted(found)


@pytest.mark.parametrize(("command", "options"), commands(), ids=str)
def test_each_command_that_the_page_names_is_one_and_takes_its_options(
    command: str, options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert [option for option in options if option not in shown] == []


def settings_names(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}".upper()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from settings_names(field.annotation, f"{prefix}{name}__")


def test_each_setting_that_the_page_names_is_one() -> None:
    known = set(settings_names(Settings, PREFIX))
    variables = set(re.findall(rf"{PREFIX}[A-Z0-9_]+", RUNBOOK))
    keys = {f"{PREFIX}{place}__{name}".upper() for place, name in KEY.findall(RUNBOOK)}
    assert f"{PREFIX}EXCHANGE__ENABLED" in variables & known
    assert variables | keys <= known


def test_who_did_not_answer_depends_on_whom_the_step_asks() -> None:
    entries = {step: entry_of(SourceUnavailable.__name__, step) for step in Step}
    assert entries[Step.PULL] is entries[Step.PLAN] is Entry.ARCHIVE_SILENT
    assert entries[Step.DELTA] is entries[Step.INSTRUMENTS] is Entry.EXCHANGE_SILENT
    assert {entries[step] for step in (Step.CONFORM, Step.GATE, Step.PUBLISH, Step.REPORT)} == {Entry.LAKE_SILENT}


def test_a_message_leads_to_one_entry_only() -> None:
    once = with_entry("what happened", Entry.BUG)
    assert once == "what happened\nSee docs/runbook.md#an-error-of-the-program"
    assert with_entry(once, Entry.STEP_FAILED) == once
