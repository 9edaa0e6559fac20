"""The quality report: one HTML file that needs no network, for a run or for a whole lake."""

import html
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from string import Template

from crypto_lakehouse.coverage.log import CoverageFrames
from crypto_lakehouse.pictures.calendar_html import CALENDAR_STYLE
from crypto_lakehouse.quality.found import coverage_pieces
from crypto_lakehouse.vocabulary import Condition

_WORDS = {
    Condition.AVAILABLE: "passed every check",
    Condition.DEGRADED: "readable, with reasons",
    Condition.QUARANTINED: "refused; readers keep the former version",
    Condition.EMPTY: "sound objects without a row",
}


@dataclass(frozen=True, slots=True)
class PartitionLine:
    """One partition in the report: its name, rows, condition and the reasons for it."""

    name: str
    rows: int
    condition: Condition
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DatasetSection:
    """One dataset in the report.

    Args:
        dataset: Its name.
        objects: Archive objects pulled.
        bytes: Their bytes.
        seconds: Wall time of all its steps.
        requests: What the exchange was asked.
        partitions: Its partitions.
        refused: Objects left out or quarantined, with reasons.
        docs: Links to Great Expectations' Data Docs, relative to the report.
        coverage: What is known of its days.
        failed: Steps that failed or did not finish, with reasons.
    """

    dataset: str
    objects: int
    bytes: int
    seconds: float
    partitions: tuple[PartitionLine, ...]
    refused: tuple[str, ...] = ()
    docs: tuple[str, ...] = field(default=())
    requests: int = 0
    coverage: CoverageFrames | None = None
    failed: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Rows of its partitions that readers may see."""
        return sum(one.rows for one in self.partitions if one.condition.is_published)

    def count(self, condition: Condition) -> int:
        """Returns how many partitions ended in a condition."""
        return sum(one.condition is condition for one in self.partitions)


def quality_report(title: str, sections: Sequence[DatasetSection]) -> str:
    """Returns the report as HTML; every value is escaped."""
    template = Template(files("crypto_lakehouse.quality").joinpath("report.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=html.escape(title),
        calendar_style=CALENDAR_STYLE,
        tiles=_tiles(sections),
        summary="\n".join(_summary_row(one) for one in sections),
        sections="\n".join(_section(one) for one in sections),
    )


def write_report(path: Path, title: str, sections: Sequence[DatasetSection]) -> None:
    """Writes the report to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(quality_report(title, sections), encoding="utf-8")


def _tiles(sections: Iterable[DatasetSection]) -> str:
    totals: Counter[Condition] = Counter()
    for section in sections:
        totals.update(one.condition for one in section.partitions)
    return "\n".join(
        f'<div class="tile {one}"><b>{totals[one]:,}</b><span>{one}</span><small>{_WORDS[one]}</small></div>'
        for one in Condition
    )


def _summary_row(section: DatasetSection) -> str:
    cells = (
        f'<a href="#{html.escape(section.dataset)}">{html.escape(section.dataset)}</a>',
        f"{section.objects:,}",
        _size(section.bytes),
        f"{section.requests:,}",
        f"{section.rows:,}",
        *(f"{section.count(one):,}" for one in Condition),
        f"{section.seconds:.1f}",
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _size(count: int) -> str:
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def _section(section: DatasetSection) -> str:
    quiet = (Condition.AVAILABLE, Condition.EMPTY)
    noted = [one for one in section.partitions if one.reasons or one.condition not in quiet]
    parts = [f'<section id="{html.escape(section.dataset)}"><h2>{html.escape(section.dataset)}</h2>', _strip(section)]
    if section.failed:
        parts.append(f"<h3>Steps that failed</h3>{_list(section.failed)}")
    if noted:
        lines = "\n".join(_partition_row(one) for one in noted)
        parts.append(
            '<div class="scroll"><table><thead><tr><th>partition</th><th>rows</th><th>condition</th><th>why</th></tr>'
            f"</thead><tbody>{lines}</tbody></table></div>"
        )
    elif section.partitions:
        parts.append(f"<p>All {len(section.partitions)} partitions passed every check.</p>")
    elif not section.failed:
        parts.append("<p>No partition was to be built.</p>")
    if section.refused:
        parts.append(f"<h3>Objects left out</h3>{_list(section.refused)}")
    if section.coverage is not None:
        parts.append(coverage_pieces(section.coverage))
    links = " ".join(
        f'<a href="{html.escape(one)}">Great Expectations {n + 1}</a>' for n, one in enumerate(section.docs)
    )
    return "\n".join([*parts, f'<p class="links">{links}</p>' if links else "", "</section>"])


def _strip(section: DatasetSection) -> str:
    """Returns one small cell per partition: a look shows where a dataset is not sound."""
    cells = "".join(
        f'<i class="{one.condition}" title="{html.escape(f"{one.name}: {one.condition}, {one.rows:,} rows")}"></i>'
        for one in section.partitions
    )
    label = ", ".join(f"{section.count(one)} {one}" for one in Condition)
    return f'<div class="strip" role="img" aria-label="{html.escape(label)}">{cells}</div>'


def _partition_row(one: PartitionLine) -> str:
    return (
        f"<tr><td><code>{html.escape(one.name)}</code></td><td>{one.rows:,}</td>"
        f'<td><span class="badge {one.condition}">{one.condition}</span></td><td>{_list(one.reasons)}</td></tr>'
    )


def _list(reasons: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{html.escape(reason)}</li>" for reason in reasons) + "</ul>"
