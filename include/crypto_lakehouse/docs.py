"""The files that are generated from tables: the overview in the README, the data dictionary, verbs, and field ids.

`python -m crypto_lakehouse.docs` (or `make docs`) writes them. A test fails if they are out of date. This module uses
only the standard library.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import MappingProxyType

from crypto_lakehouse.checkout import require_checkout, write_changed
from crypto_lakehouse.datasets import DATASETS
from crypto_lakehouse.expectations import Expectation
from crypto_lakehouse.field_ids import extended_record, parse_record, render_record
from crypto_lakehouse.marts import tables
from crypto_lakehouse.quality.checks import CHECKS
from crypto_lakehouse.silver.row_rules import ROW_RULES
from crypto_lakehouse.spec import DECIMALS, Column, Dataset, Derivation, HeaderRule, SourceLayout, Table, TimeEncoding
from crypto_lakehouse.verbs import VERBS, Area, Reach
from crypto_lakehouse.vocabulary import Frequency, LogicalType, PartitionSpan, Stamp

BEGIN, END = "<!-- datasets:begin -->", "<!-- datasets:end -->"

_TYPES = MappingProxyType(
    {
        LogicalType.TIMESTAMP: "timestamp(us, UTC)",
        **{kind: "decimal({}, {})".format(*places) for kind, places in DECIMALS.items()},
        LogicalType.FLOAT: "float64",
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
        TimeEncoding.EPOCH: "epoch in milliseconds or microseconds: one unit per file, known from its magnitude",
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
_SPANS = MappingProxyType({PartitionSpan.DAY: "day", PartitionSpan.MONTH: "month", PartitionSpan.YEAR: "year"})

_TYPE_LIST = "\n".join(f"- *{kind}*: `{text}`" for kind, text in _TYPES.items())
_INTRODUCTION = f"""# Data dictionary

Generated from `include/crypto_lakehouse/datasets/` by `make docs`. Edit the table, not this page.

{_TYPE_LIST}

There are no floats. A row whose value has more decimals than its column is set aside, never
rounded. *nullable* columns may
be empty in valid rows. Every dataset is also a SQL table with the same name. Its partition values (`kline_interval`,
`symbol_key`, and `period`, `date`, `month` or `year`) are text columns.

A row that breaks an expectation with *row* cannot be true. It is set aside: the partition does not have it and is
degraded, and the table `refused_rows` has the row with its reason. If a partition does not meet another expectation,
readers do not get it. The exception is an expectation with *degrades*: the partition stays readable, with the reason.
An expectation with *remark* is only noted. An object with more bad rows than 10 or 0.1 % of its rows, or more than half
of them, is refused whole.
"""


_REACHES = MappingProxyType(
    {
        Reach.LAKE: "the lake",
        Reach.ARCHIVE: "the lake, the archive",
        Reach.EXCHANGE: "the lake, the exchange",
    }
)
_VERBS_INTRODUCTION = """# Verbs

Generated from `include/crypto_lakehouse/verbs.py` by `make docs`. Edit the table, not this page.

A run is a sequence of steps. Each step carries out one verb for one work order:
`crypto-lakehouse step VERB --work-order KEY`. The image, the network and the role of a step are derived from this
table. The patterns are keys of the lake. Every verb also writes its own result file below `runs/`.
"""


def render_dataset_table() -> str:
    """Returns the overview of all datasets as a Markdown table, one line per dataset."""
    rows = [
        (
            f"[`{dataset.name}`](docs/datasets.md#{dataset.name})",
            dataset.description,
            " ".join(dataset.frequencies) or "none: requested from the exchange",
            _partitioning(dataset),
            dataset.state,
        )
        for dataset in DATASETS
    ]
    return _table(("dataset", "what a row is", "archive files", "one partition", "state"), rows)


def render_data_dictionary() -> str:
    """Returns the whole data dictionary: every dataset with its columns, units, key and expectations."""
    contents = "\n".join(f"- [`{dataset.name}`](#{dataset.name}): {dataset.description}" for dataset in DATASETS)
    return "\n".join([_INTRODUCTION, contents, "", *(_chapter(dataset) for dataset in DATASETS)])


def _chapter(dataset: Dataset) -> str:
    facts = [
        *(_archive_facts(dataset) if dataset.frequencies else _rest_facts(dataset)),
        ("key", f"{_code(dataset.key)} within a symbol" + (" and interval" if dataset.has_interval else "")),
        ("intervals", _code(dataset.intervals) if dataset.has_interval else "none"),
        ("partition", f"{_partitioning(dataset)}: `{_partition_path(dataset)}`"),
        ("if two objects have the same key", dataset.merge.value.replace("_", " ")),
        ("state", dataset.state),
    ]
    columns = [
        (f"`{column.name}`", _type(column), column.unit, column.meaning, _source(column)) for column in dataset.columns
    ]
    parts = [
        f"## {dataset.name}",
        f"{dataset.description}.",
        _table(("", ""), facts),
        _table(
            ("column", "type", "unit", "meaning", f"{'archive' if dataset.frequencies else 'source'} column"), columns
        ),
        "Expectations:",
        "\n".join(f"- {_expectation(expectation)}" for expectation in dataset.expectations),
        *_notes(dataset),
    ]
    return "\n\n".join(parts) + "\n"


def _archive_facts(dataset: Dataset) -> list[tuple[str, str]]:
    return [
        ("archive", _join(_archive_path(dataset, frequency) for frequency in dataset.frequencies)),
        ("source files", "; ".join(_layout(dataset, layout) for layout in dataset.layouts)),
        ("event time", f"`{dataset.event_time}`; written as {_TIMES[dataset.time_encoding]}"),
    ]


def _rest_facts(dataset: Dataset) -> list[tuple[str, str]]:
    if dataset.rest is None:
        return []
    paths = ", ".join(f"`{endpoint.path}`".replace("{", "<").replace("}", ">") for endpoint in dataset.rest.endpoints)
    limit = dataset.rest.endpoints[0].limit
    return [
        ("archive", "none: every row is requested from the exchange"),
        ("requests", f"{paths}, {dataset.rest.endpoints[0].page_rows} rows a page"),
        ("limit", f"{limit.amount} {limit.name} in {limit.window_seconds} s; only a share is used"),
        ("event time", f"`{dataset.event_time}`; written as {_STAMPS[dataset.rest.endpoints[0].stamp]}"),
    ]


def _partitioning(table: Table) -> str:
    other_spans = ", ".join(f"{interval}: {_SPANS[span]}" for interval, span in table.interval_spans)
    span = _SPANS[table.span] + (f" ({other_spans})" if other_spans else "")
    return ("interval, " if table.has_interval else "") + f"symbol, {span}"


def _archive_path(dataset: Dataset, frequency: Frequency) -> str:
    interval = "<interval>/" if dataset.has_interval else ""
    middle = "<interval>" if dataset.has_interval else dataset.data_type.value
    period = "<YYYY-MM-DD>" if frequency is Frequency.DAILY else "<YYYY-MM>"
    return f"`{dataset.archive_prefix(frequency)}<symbol>/{interval}<symbol>-{middle}-{period}.zip`"


def _partition_path(table: Table) -> str:
    return "/".join((table.layer.value, table.name, *(f"{key}=<{key}>" for key in table.partition_keys)))


def _layout(dataset: Dataset, layout: SourceLayout) -> str:
    several = f": {_code(layout.columns)}" if len(dataset.layouts) > 1 else ""
    return f"{len(layout.columns)} columns, {_HEADERS[layout.header]}{several}"


def _type(column: Column) -> str:
    scale = f" with {column.scale} decimals" if column.scale else ""
    return column.type.value + scale + (", nullable" if column.nullable else "")


def _source(column: Column) -> str:
    return _DERIVATIONS[column.derivation] if column.derivation is not None else f"`{column.source}`"


def _expectation(expectation: Expectation) -> str:
    requirement = CHECKS[expectation.check].requirement_of(expectation)
    if expectation.is_remark:
        return f"{requirement} *(remark)*"
    is_of_row = expectation.check in ROW_RULES and not expectation.degrades
    return requirement + (" *(degrades)*" if expectation.degrades else " *(row)*" if is_of_row else "")


def _notes(dataset: Dataset) -> list[str]:
    notes = list(dataset.notes)
    if dataset.both_frequencies:
        notes.append("Daily and monthly files of the same days are both read, because they sometimes differ.")
    if dataset.monthly_only_intervals:
        notes.append(f"The intervals {_code(dataset.monthly_only_intervals)} are only published in monthly files.")
    if dataset.day_tolerance_seconds:
        notes.append(f"A source file may contain rows up to {dataset.day_tolerance_seconds} s outside its day.")
    if dataset.ended is not None:
        notes.append(f"The archive's last day is {dataset.ended.isoformat()}.")
    return ["Notes:", "\n".join(f"- {note}" for note in notes)] if notes else []


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _join(texts: Iterable[str]) -> str:
    return "<br>".join(texts)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def between_markers(text: str, inner: str) -> str:
    """Returns `text` with the part between the dataset markers replaced. Without markers, the text stays the same.

    >>> between_markers("a <!-- datasets:begin -->old<!-- datasets:end --> b", "new").count("new")
    1
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{BEGIN}\n{inner}\n{END}{after}" if begin and end else text


def render_verbs() -> str:
    """Returns the page of the verbs: purpose, image, network and rights of each verb."""
    head = ("verb", "what it does", "image", "connects to", "reads", "writes", "removes", "catalog")
    rows = [
        (
            f"`{verb.step}`",
            verb.help,
            f"`{verb.image}`",
            _REACHES[verb.reach],
            _areas(verb.reads),
            _areas(verb.writes),
            _areas((*verb.folds, *verb.deletes)),
            verb.catalog.value,
        )
        for verb in VERBS
    ]
    return "\n".join([_VERBS_INTRODUCTION, _table(head, rows), ""])


def _areas(areas: Iterable[Area]) -> str:
    return _join(f"`{pattern}`" for area in areas for pattern in area.patterns)


def _field_ids(recorded: Path) -> str:
    """Returns the recorded field ids and new ids for new tables and columns. Recorded ids never change."""
    record = parse_record(recorded.read_text(encoding="utf-8")) if recorded.exists() else {}
    return render_record(extended_record(record, tables()))


def generated_pages(project: Path) -> dict[Path, str]:
    """Returns the generated files of a project folder with their current text."""
    pages = {
        project / "docs" / "datasets.md": render_data_dictionary(),
        project / "docs" / "verbs.md": render_verbs(),
        project / "docs" / "field_ids.json": _field_ids(project / "docs" / "field_ids.json"),
    }
    readme = project / "README.md"
    if readme.exists():
        pages[readme] = between_markers(readme.read_text(encoding="utf-8"), render_dataset_table())
    return pages


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
