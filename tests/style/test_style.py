"""The checks find what they are for, and accept what is right."""

import ast
from pathlib import Path

import pytest

from tests.style.__main__ import PROJECT, findings
from tests.style.code import MAX_LINES, check_comments, check_length, check_names, check_strings, loop_targets
from tests.style.prose import MAX_WORDS, check_markdown, markdown_paragraphs

GOOD_PAGE = """# Title

A run publishes a partition. Readers see the new version.

- `whoever` is code, and code may contain any word;
- the path `says/tells` as well.

```
whoever says that of these
```
"""


def messages(text: str) -> list[str]:
    """Returns the findings in a page."""
    return [finding.message for finding in check_markdown("page.md", text)]


def test_plain_sentences_are_accepted() -> None:
    assert messages(GOOD_PAGE) == []
    assert messages("Size of these objects. One of those files is read.") == []


@pytest.mark.parametrize(
    "sentence",
    [
        "Whoever reads it needs a key.",
        "The key is that of the exchange.",
        "Of these, the newest counts.",
        "The report says why.",
        "The catalog is made anew.",
        "See the module.",
    ],
)
def test_a_word_that_is_hard_to_read_is_found(sentence: str) -> None:
    assert len(messages(sentence)) == 1
    assert len(messages(f"| key | {sentence} |")) == 1
    assert len(messages(f"- A list.\n- {sentence}")) == 1


def test_a_long_sentence_is_found_across_lines_and_with_its_first_line() -> None:
    words = ["word"] * MAX_WORDS
    assert messages(" ".join(words) + ".") == []
    page = "# Title\n\nShort.\n\nA " + "\n".join(words) + "."
    (finding,) = check_markdown("page.md", page)
    assert (finding.line, f"{MAX_WORDS + 1} words" in finding.message) == (5, True)


def test_a_list_of_names_counts_as_one_word() -> None:
    assert messages(f"{' '.join(['word'] * (MAX_WORDS - 1))} {', '.join(['`name`'] * 9)} and `name`.") == []


def test_two_sentences_count_apart_even_where_the_second_starts_with_a_link() -> None:
    half = " ".join(["word"] * (MAX_WORDS - 1))
    assert messages(f"{half} end. [docs/page.md](page.md) {half}.") == []


def test_a_number_at_the_end_of_a_sentence_is_no_item_of_a_list() -> None:
    assert [text for _, text in markdown_paragraphs("It uses port 8080. Then it ends.")] == [
        "It uses port 8080. Then it ends."
    ]


def test_a_table_is_read_cell_by_cell() -> None:
    cells = [text for _, text in markdown_paragraphs("| one | two |\n|---|---|\n| `x` | **three** |")]
    assert cells == ["one", "two", "---", "---", "code", "three"]


@pytest.mark.parametrize(
    "code",
    [
        "for one in items:\n    print(one)",
        "values = [\n    one\n    for one in items\n]",
        "def size(one): return one",
        "found = search()",
        "def read(said: str): ...",
        "held, rest = parts",
        "def build(row: Dataset): ...",
        "with open(path) as told: ...",
    ],
)
def test_a_vague_name_is_found(code: str) -> None:
    assert len(list(check_names("module.py", ast.parse(code)))) == 1


@pytest.mark.parametrize(
    "code",
    [
        "values = [one.name for one in items]",
        "key = lambda one: one.name",
        "for partition in partitions: print(partition)",
        "def build(dataset: Dataset, row: Row): ...",
        "said.one = 1",
    ],
)
def test_a_clear_name_is_accepted(code: str) -> None:
    assert list(check_names("module.py", ast.parse(code))) == []


def test_docstrings_and_messages_are_checked_with_their_lines() -> None:
    code = (
        '"""Module."""\n\n\ndef run():\n    """Returns a key.\n\n    Raises:\n        E: The file says no.\n    """\n'
    )
    (finding,) = check_strings("module.py", ast.parse(code))
    assert (finding.line, finding.message.partition(":")[0]) == (8, "'says'")
    (finding,) = check_strings("module.py", ast.parse('raise E(f"{name} is that of another lake")'))
    assert "that of" in finding.message


def test_comments_are_checked_and_code_is_not() -> None:
    assert [finding.line for finding in check_comments("module.py", "a = 1\n# Whoever runs it.\nwhoever = 2\n")] == [2]


def test_the_share_of_loops_is_counted() -> None:
    tree = ast.parse("for one in a: ...\nb = [one for one in a]\nc = [x for x in a]")
    assert list(loop_targets(tree)) == ["one", "one", "x"]


@pytest.mark.parametrize("folder", ["include", "dags", "plugins"])
def test_a_bad_file_in_each_folder_is_found(folder: str, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("Fine.", encoding="utf-8")
    assert list(findings(tmp_path)) == []
    module = tmp_path / folder / "package" / "module.py"
    module.parent.mkdir(parents=True)
    module.write_text('"""Whoever reads this."""\nfound = 1\n', encoding="utf-8")
    assert [finding.path for finding in findings(tmp_path)] == [f"{folder}/package/module.py"] * 2


def test_a_module_that_is_too_long_is_found() -> None:
    assert list(check_length("module.py", "a = 1\n" * MAX_LINES)) == []
    (finding,) = check_length("module.py", "a = 1\n" * (MAX_LINES + 1))
    assert (finding.line, f"{MAX_LINES + 1} lines" in finding.message) == (MAX_LINES + 1, True)


@pytest.mark.parametrize("folder", ["include", "dags", "plugins", "tests"])
def test_a_module_that_is_too_long_is_found_in_each_folder(folder: str, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("Fine.", encoding="utf-8")
    module = tmp_path / folder / "package" / "module.py"
    module.parent.mkdir(parents=True)
    module.write_text("a = 1\n" * MAX_LINES, encoding="utf-8")
    assert list(findings(tmp_path)) == []
    module.write_text("a = 1\n" * (MAX_LINES + 1), encoding="utf-8")
    assert [finding.path for finding in findings(tmp_path)] == [f"{folder}/package/module.py"]


def test_this_project_has_no_finding() -> None:
    assert [str(finding) for finding in findings(PROJECT)] == []
