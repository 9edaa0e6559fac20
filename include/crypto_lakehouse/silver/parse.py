"""A block of CSV lines to a frame of typed source values: exact or refused, never rounded, never null by accident."""

from dataclasses import dataclass
from decimal import Decimal, DecimalException, InvalidOperation

import polars as pl

from crypto_lakehouse.errors import ContentRefused, SchemaDrift
from crypto_lakehouse.lake.table_schema import DECIMALS
from crypto_lakehouse.silver.bytegate import ByteFacts, check_bytes, has_long_fraction
from crypto_lakehouse.silver.explain import first_bad_line
from crypto_lakehouse.spec import Column, Dataset, Derivation, SourceLayout, TimeEncoding
from crypto_lakehouse.vocabulary import LogicalType

SYMBOL_SOURCES = ("underlying", "symbol")
"""Source columns that repeat the key's symbol, best first: in EOHSummary `symbol` is the contract's."""

_ADVICE = "Compare the object with the bucket; pull it again if it was replaced"
_WORD = r"^[\p{L}\p{N}][\p{L}\p{N}_.\-]*$"
"""A word of letters and digits: a formula, a quote or an empty text is none."""


@dataclass(frozen=True, slots=True)
class SourceShape:
    """How files of one layout are read for a dataset."""

    dataset: Dataset
    layout: SourceLayout

    @property
    def columns(self) -> dict[str, Column]:
        """The Silver columns that are one source column of this layout typed, by source name."""
        return {one.source: one for one in self.dataset.columns if one.source in self.layout.columns}

    @property
    def numbers(self) -> dict[str, Column]:
        """The columns of exact numbers, by source name."""
        return {name: one for name, one in self.columns.items() if one.type in DECIMALS}

    def read_schema(self, *, numbers_as_text: bool) -> dict[str, pl.DataType]:
        """Returns what the CSV reader shall read each source column as."""
        known = self.columns
        types = {name: self._read_type(known.get(name)) for name in self.layout.columns}
        return types if numbers_as_text else types | {name: _decimal(one) for name, one in self.numbers.items()}

    def required(self) -> list[str]:
        """Returns the source columns that are never empty."""
        derivations = {one.derivation for one in self.dataset.columns}
        names = [name for name, one in self.columns.items() if not one.nullable]
        names += [name for name in SYMBOL_SOURCES if name in self.layout.columns]
        names += ["date", "hour"] if Derivation.DATE_AND_HOUR in derivations else []
        names += ["strike"] if Derivation.STRIKE_PRICE in derivations else []
        return list(dict.fromkeys(names))

    def _read_type(self, column: Column | None) -> pl.DataType:
        if column is None:
            return pl.String()
        if column.type is LogicalType.TIMESTAMP:
            return pl.Int64() if self.dataset.time_encoding is TimeEncoding.EPOCH else pl.String()
        plain: dict[LogicalType, pl.DataType] = {LogicalType.INTEGER: pl.Int64(), LogicalType.BOOLEAN: pl.Boolean()}
        return plain.get(column.type, pl.String())


def parse_block(block: bytes, shape: SourceShape, first_line: int = 1) -> pl.DataFrame:
    """Returns the block's source columns: epochs as integers, exact numbers as decimals, texts as they are.

    Args:
        block: Whole lines.
        shape: How they are read.
        first_line: Number of the first of them in their file, for the reasons given.

    Raises:
        SchemaDrift: The bytes are not lines of this layout.
        ContentRefused: A value is not of its column's type, not exact in it, or missing where it may not be.
    """
    place = _Place(block, shape, first_line)
    facts = _byte_facts(place)
    quoted = ['""'] if facts.has_quotes else None
    exact = _reads_exactly(block, shape, facts)
    schema = shape.read_schema(numbers_as_text=not exact)
    try:
        raw = pl.read_csv(block, has_header=False, schema=schema, quote_char=None, null_values=quoted)
        typed = raw if exact else _with_numbers(raw, shape.numbers)
    except (pl.exceptions.PolarsError, DecimalException) as error:
        raise place.refusal(str(error).partition("\n")[0]) from error
    if raw.height != facts.lines:
        raise place.refusal(f"{raw.height} rows in {facts.lines} lines")
    _check_present(typed, place)
    return typed


def _reads_exactly(block: bytes, shape: SourceShape, facts: ByteFacts) -> bool:
    """Returns whether the CSV reader cannot round any number: no exponents, no more decimals than are kept."""
    booleans = sum(one.type is LogicalType.BOOLEAN for one in shape.columns.values())
    # `true` and `false` have one e each: only more of them can be exponents.
    if facts.exponents != booleans * facts.lines:
        return False
    return not has_long_fraction(block, min((DECIMALS[one.type][1] for one in shape.numbers.values()), default=0))


def _with_numbers(raw: pl.DataFrame, numbers: dict[str, Column]) -> pl.DataFrame:
    """Returns the frame with its numbers, read as text, as decimals: by a cast where that cannot round them."""
    loose = _loose(raw, numbers) if raw.height else set()
    return raw.with_columns(
        _exactly(raw[name], one) if name in loose else pl.col(name).cast(_decimal(one)) for name, one in numbers.items()
    )


def _decimal(column: Column) -> pl.DataType:
    return pl.Decimal(*DECIMALS[column.type])


def _loose(raw: pl.DataFrame, numbers: dict[str, Column]) -> set[str]:
    """Returns the columns whose texts a cast could round: exponents, or more decimals than kept, zeros included."""
    tests = []
    for name, one in numbers.items():
        text = pl.col(name)
        places = text.str.len_bytes().cast(pl.Int64) - text.str.find(".", literal=True).cast(pl.Int64) - 1
        tests.append((places.max().fill_null(0) > DECIMALS[one.type][1]) | text.str.contains("[eE]").any())
    found = raw.select(test.alias(name) for test, name in zip(tests, numbers, strict=True)).row(0, named=True)
    return {name for name, is_loose in found.items() if is_loose}


def _exactly(texts: pl.Series, column: Column) -> pl.Series:
    """Returns the texts as decimals, each distinct one by exact arithmetic."""
    distinct = texts.drop_nulls().unique(maintain_order=True)
    values = [_exact_text(text, DECIMALS[column.type][1], column.name) for text in distinct]
    decimals = pl.Series(values, dtype=pl.String()).cast(_decimal(column))
    return texts.replace_strict(distinct, decimals, default=None, return_dtype=_decimal(column))


def _exact_text(text: str, scale: int, name: str) -> str:
    value = Decimal(text) if text.isascii() and "_" not in text else Decimal("NaN")
    if not value.is_finite() or abs(value.adjusted()) > 60:
        raise InvalidOperation(f"column {name} holds {text[:40]!r}, which is no number that a market has")
    digits = f"{value:f}"
    whole, _, decimals = digits.partition(".")
    if decimals[scale:].strip("0"):
        raise InvalidOperation(f"column {name} holds {text[:40]!r}: more than {scale} decimals")
    return f"{whole}.{decimals[:scale]}" if decimals else whole


def _check_present(frame: pl.DataFrame, place: "_Place") -> None:
    used, required = place.shape.columns, place.shape.required()
    empty = [name for name in required if frame[name].null_count()]
    if empty:
        raise place.refusal(f"no value in column {empty[0]}, which is never empty")
    for name in required:
        is_text = name in used and used[name].type is LogicalType.STRING
        if is_text and not frame[name].unique().str.contains(_WORD).all():
            raise place.refusal(f"column {name} holds what is not a plain word")


@dataclass(frozen=True, slots=True)
class _Place:
    """The lines being parsed, to say where a refused one is."""

    block: bytes
    shape: SourceShape
    first_line: int

    def refusal(self, reason: str) -> ContentRefused:
        """Returns the error for a value that cannot be true."""
        return ContentRefused(f"{reason}{self.line()}", _ADVICE)

    def line(self) -> str:
        """Returns `; line 7`, or nothing where no single line is at fault."""
        found = first_bad_line(self.block, self.shape.layout, self.shape.columns, self.shape.dataset.time_encoding)
        return f"; line {self.first_line + found - 1}" if found else ""


def _byte_facts(place: _Place) -> ByteFacts:
    try:
        return check_bytes(place.block, place.shape.dataset, place.shape.layout)
    except SchemaDrift as error:
        raise SchemaDrift(f"{error.what}{place.line()}", error.advice) from error
