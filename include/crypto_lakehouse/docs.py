"""The pages that are generated from the dataset table: the README's overview and the data dictionary.

`python -m crypto_lakehouse.docs` (or `make docs`) rewrites them; a test fails while they differ from the table.
Standard library only.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from crypto_lakehouse.checkout import require_checkout
from crypto_lakehouse.datasets import DATASETS
from crypto_lakehouse.spec import (
    Check,
    Column,
    Dataset,
    Derivation,
    Expectation,
    HeaderRule,
    SourceLayout,
    TimeEncoding,
)
from crypto_lakehouse.verbs import VERBS, Area, Reach
from crypto_lakehouse.vocabulary import Frequency, LogicalType, PartitionSpan, Stamp

BEGIN, END = "<!-- datasets:begin -->", "<!-- datasets:end -->"

_TYPES = MappingProxyType(
    {
        LogicalType.TIMESTAMP: "timestamp(us, UTC)",
        LogicalType.PRICE: "decimal(18, 8)",
        LogicalType.QUANTITY: "decimal(38, 8)",
        LogicalType.RATIO: "decimal(38, 18)",
        LogicalType.VALUE: "decimal(38, 18)",
        LogicalType.INTEGER: "int64",
        LogicalType.BOOLEAN: "boolean",
        LogicalType.STRING: "string",
        LogicalType.DATE: "date",
    }
)
_DERIVATIONS = MappingProxyType(
    {
        Derivation.OBJECT_SYMBOL: "from the archive key",
        Derivation.FUNDING_TIME: "`calc_time`, rounded to the hour",
        Derivation.PERIOD_START: "from `create_time`",
        Derivation.PERIOD_END: "from `create_time`",
        Derivation.DATE_AND_HOUR: "`date` and `hour`",
        Derivation.STRIKE_EXPIRY: "from `strike`",
        Derivation.STRIKE_PRICE: "from `strike`",
    }
)
_HEADERS = MappingProxyType(
    {
        HeaderRule.NEVER: "no header line",
        HeaderRule.SOMETIMES: "with or without a header line",
        HeaderRule.ALWAYS: "a header line",
    }
)
_TIMES = MappingProxyType(
    {
        TimeEncoding.EPOCH: "an epoch number, milliseconds or microseconds: one unit per file, told by its magnitude",
        TimeEncoding.TEXT: "text `YYYY-MM-DD HH:MM:SS`, UTC",
        TimeEncoding.DATE_AND_HOUR: "a date and an hour, UTC",
    }
)
_STAMPS = MappingProxyType(
    {
        Stamp.EPOCH: _TIMES[TimeEncoding.EPOCH],
        Stamp.SECONDS: "seconds since the epoch",
        Stamp.NANOSECONDS: "nanoseconds since the epoch",
        Stamp.ISO: "text `YYYY-MM-DDTHH:MM:SSZ`, UTC",
    }
)
_CHECKS = MappingProxyType(
    {
        Check.KEY_UNIQUE: "no two rows share the key",
        Check.TIME_ORDERED: "rows are in order of the event time",
        Check.WITHIN_PARTITION: "every row lies within the partition's days",
        Check.GRID_COMPLETE: "no expected time is missing on the days that the source files cover",
        Check.ON_GRID: "every open time is on the interval's grid",
        Check.CLOSE_TIME: "every close time is the next open time less one source unit",
        Check.OHLC_ORDERED: "high is the highest and low the lowest of {columns}",
        Check.PRICES_POSITIVE: "{columns} above zero",
        Check.QUANTITIES_NOT_NEGATIVE: "{columns} not negative",
        Check.TAKER_WITHIN_TOTAL: "taker volume does not exceed the volume ({columns})",
        Check.IDS_CONTIGUOUS: "{columns} without holes",
        Check.IDS_INCREASING: "{columns} always increasing",
        Check.NO_PRICE_SPIKE: "{columns} never moves by more than a factor of {limit:g} from one row to the next",
        Check.NOT_STALE: "no hour in which {columns} stand still",
        Check.HOURS_COVERED: "every hour of the covered days has rows",
        Check.SPREAD_NOT_NEGATIVE: "the best bid is not above the best ask",
        Check.FUNDING_ON_BOUNDARY: "every payment is within {limit:g} s of an hour",
        Check.FUNDING_INTERVAL_KNOWN: "payments are 1, 2, 4 or 8 hours apart",
    }
)

_TYPE_LIST = "\n".join(f"- *{kind}*: `{text}`" for kind, text in _TYPES.items())
_INTRODUCTION = f"""# Data dictionary

Generated from `include/crypto_lakehouse/datasets.py` by `make docs`; edit the table, not this page.

{_TYPE_LIST}

There are no floats: a value of more decimals than its type holds is refused, never rounded. *nullable* columns may be
empty in sound rows. Every dataset is also a SQL table of its name, with its partition values (`kline_interval`,
`symbol_key`, `period`, `date`, `month` or `year`) as text columns. *degrades* marks an expectation that, when broken,
leaves the partition readable with the reason; breaking any other keeps the partition from readers.
"""


_REACHES = MappingProxyType(
    {
        Reach.LAKE: "the lake",
        Reach.ARCHIVE: "the lake, the archive",
        Reach.EXCHANGE: "the lake, the exchange",
    }
)
_VERBS_INTRODUCTION = """# Verbs

Generated from `include/crypto_lakehouse/verbs.py` by `make docs`; edit the table, not this page.

A run is a sequence of steps. Each step carries out one verb for one work order:
`crypto-lakehouse step VERB --work-order KEY`. The image, the network and the role of a step are derived from this
table. The patterns are keys of the lake. Every verb also writes its own result file below `runs/`.
"""


def render_dataset_table() -> str:
    """Returns the overview of all datasets as a Markdown table, a line per dataset."""
    rows = [
        (
            f"[`{row.name}`](docs/datasets.md#{row.name})",
            row.description,
            " ".join(row.frequencies) or "none: asked of the exchange",
            _partitioning(row),
            row.state,
        )
        for row in DATASETS
    ]
    return _table(("dataset", "what a row is", "archive files", "one partition", "state"), rows)


def render_data_dictionary() -> str:
    """Returns the whole data dictionary: every dataset with its columns, units, key and expectations."""
    contents = "\n".join(f"- [`{row.name}`](#{row.name}): {row.description}" for row in DATASETS)
    return "\n".join([_INTRODUCTION, contents, "", *(_chapter(row) for row in DATASETS)])


def _chapter(row: Dataset) -> str:
    facts = [
        *(_archive_facts(row) if row.frequencies else _rest_facts(row)),
        ("key", f"{_code(row.key)} within a symbol" + (" and interval" if row.has_interval else "")),
        ("intervals", _code(row.intervals) if row.has_interval else "none"),
        ("partition", f"{_partitioning(row)}: `{_partition_path(row)}`"),
        ("when two objects hold one key", row.merge.value.replace("_", " ")),
        ("state", row.state),
    ]
    columns = [(f"`{one.name}`", _type(one), one.unit, one.meaning, _source(one)) for one in row.columns]
    parts = [
        f"## {row.name}",
        f"{row.description}.",
        _table(("", ""), facts),
        _table(("column", "type", "unit", "meaning", f"{'archive' if row.frequencies else 'source'} column"), columns),
        "Expectations:",
        "\n".join(f"- {_expectation(one)}" for one in row.expectations),
        *_notes(row),
    ]
    return "\n\n".join(parts) + "\n"


def _archive_facts(row: Dataset) -> list[tuple[str, str]]:
    return [
        ("archive", _join(_archive_path(row, frequency) for frequency in row.frequencies)),
        ("source files", "; ".join(_layout(row, layout) for layout in row.layouts)),
        ("event time", f"`{row.event_time}`; written as {_TIMES[row.time_encoding]}"),
    ]


def _rest_facts(row: Dataset) -> list[tuple[str, str]]:
    if row.rest is None:
        return []
    asked = ", ".join(f"`{one.path}`".replace("{", "<").replace("}", ">") for one in row.rest.endpoints)
    limit = row.rest.endpoints[0].limit
    return [
        ("archive", "none: every row is asked of the exchange"),
        ("asked", f"{asked}, {row.rest.endpoints[0].page_rows} rows a page"),
        ("limit", f"{limit.amount} {limit.name} in {limit.window_seconds} s, of which we use a share"),
        ("event time", f"`{row.event_time}`; written as {_STAMPS[row.rest.endpoints[0].stamp]}"),
    ]


def _partitioning(row: Dataset) -> str:
    span = {PartitionSpan.DAY: "day", PartitionSpan.MONTH: "month", PartitionSpan.YEAR: "year"}[row.span]
    return ("interval, " if row.has_interval else "") + f"symbol, {span}"


def _archive_path(row: Dataset, frequency: Frequency) -> str:
    interval = "<interval>/" if row.has_interval else ""
    middle = "<interval>" if row.has_interval else row.data_type.value
    period = "<YYYY-MM-DD>" if frequency is Frequency.DAILY else "<YYYY-MM>"
    return f"`{row.archive_prefix(frequency)}<symbol>/{interval}<symbol>-{middle}-{period}.zip`"


def _partition_path(row: Dataset) -> str:
    return "/".join(("silver", row.name, *(f"{key}=<{key}>" for key in row.partition_keys)))


def _layout(row: Dataset, layout: SourceLayout) -> str:
    several = f": {', '.join(layout.columns)}" if len(row.layouts) > 1 else ""
    return f"{len(layout.columns)} columns, {_HEADERS[layout.header]}{several}"


def _type(column: Column) -> str:
    return column.type.value + (", nullable" if column.nullable else "")


def _source(column: Column) -> str:
    return _DERIVATIONS[column.derivation] if column.derivation is not None else f"`{column.source}`"


def _expectation(one: Expectation) -> str:
    text = _CHECKS[one.check].format(columns=_code(one.columns), limit=one.limit)
    return text + (" *(degrades)*" if one.degrades else "")


def _notes(row: Dataset) -> list[str]:
    notes = list(row.notes)
    if row.both_frequencies:
        notes.append("Daily and monthly files of the same days are both read, because they are known to disagree.")
    if row.monthly_only_intervals:
        notes.append(f"The intervals {_code(row.monthly_only_intervals)} are published in monthly files only.")
    if row.day_tolerance_seconds:
        notes.append(f"A source file may hold rows up to {row.day_tolerance_seconds} s outside its day.")
    if row.ended is not None:
        notes.append(f"The archive's last day is {row.ended.isoformat()}.")
    return ["Notes:", "\n".join(f"- {note}" for note in notes)] if notes else []


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _join(texts: Iterable[str]) -> str:
    return "<br>".join(texts)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def between_markers(text: str, inner: str) -> str:
    """Returns `text` with what stands between the dataset markers replaced; as it is where there are no markers.

    >>> between_markers("a <!-- datasets:begin -->old<!-- datasets:end --> b", "new").count("new")
    1
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{BEGIN}\n{inner}\n{END}{after}" if begin and end else text


def render_verbs() -> str:
    """Returns the page of the verbs: what each does, where it runs and what it may do."""
    head = ("verb", "what it does", "image", "connects to", "reads", "writes", "catalog")
    rows = [
        (
            f"`{verb.step}`",
            verb.help,
            f"`{verb.image}`",
            _REACHES[verb.reach],
            _areas(verb.reads),
            _areas(verb.writes),
            verb.catalog.value,
        )
        for verb in VERBS
    ]
    return "\n".join([_VERBS_INTRODUCTION, _table(head, rows), ""])


def _areas(areas: Iterable[Area]) -> str:
    return _join(f"`{pattern}`" for area in areas for pattern in area.patterns)


def generated_pages(project: Path) -> dict[Path, str]:
    """Returns the generated files of a project folder with the text that they should have."""
    pages = {
        project / "docs" / "datasets.md": render_data_dictionary(),
        project / "docs" / "verbs.md": render_verbs(),
    }
    readme = project / "README.md"
    if readme.exists():
        pages[readme] = between_markers(readme.read_text(encoding="utf-8"), render_dataset_table())
    return pages


def write_changed(pages: Mapping[Path, str], project: Path, say: Callable[[str], None]) -> None:
    """Writes those files of a project folder that differ from the text that they should have, and says which."""
    for path, text in pages.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            say(f"rewrote {path.relative_to(project)}")


def main(project: Path | None = None, say: Callable[[str], None] = print) -> int:
    """Rewrites the generated pages that differ, reports which, and returns 0.

    Args:
        project: The folder of the project; the checkout by default.
        say: Takes a line per rewritten file.

    Raises:
        InvalidRequest: No folder is given and there is no checkout.
    """
    project = project or require_checkout()
    write_changed(generated_pages(project), project, say)
    return 0


if __name__ == "__main__":
    sys.exit(main())
