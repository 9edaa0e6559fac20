"""Parses a block of CSV lines to a frame of typed source values: exact or refused, never rounded."""

from dataclasses import dataclass
from decimal import Decimal, DecimalException, InvalidOperation

import polars as pl

from crypto_lakehouse.errors import ContentRefused
from crypto_lakehouse.lake.table_schema import polars_type
from crypto_lakehouse.silver.bytegate import ByteFacts, check_bytes, has_long_fraction
from crypto_lakehouse.spec import Column, Dataset, Derivation, SourceLayout, TimeEncoding
from crypto_lakehouse.vocabulary import LogicalType

SYMBOL_SOURCES = ("underlying", "symbol")
"""Source columns that repeat the symbol of the key, best first: in EOHSummary, `symbol` is the contract."""

ADVICE = "Compare the object with the bucket; pull it again if it was replaced"
_WORD = r"^[\p{L}\p{N}][\p{L}\p{N}_.\-]*$"
"""A word of letters and digits. A formula, a quote or an empty text does not match."""


@dataclass(frozen=True, slots=True)
class SourceShape:
    """How files of one layout are read for a dataset."""

    dataset: Dataset
    layout: SourceLayout

    @property
    def columns(self) -> dict[str, Column]:
        """The Silver columns that are one source column of this layout typed, by source name."""
        return {column.source: column for column in self.dataset.columns if column.source in self.layout.columns}

    @property
    def numbers(self) -> dict[str, Column]:
        """The columns of exact numbers, by source name."""
        return {name: column for name, column in self.columns.items() if column.decimal}

    def read_schema(self, *, numbers_as_text: bool) -> dict[str, pl.DataType]:
        """Returns the type with which the CSV reader reads each source column."""
        known = self.columns
        types = {name: self._read_type(known.get(name)) for name in self.layout.columns}
        return (
            types if numbers_as_text else types | {name: polars_type(number) for name, number in self.numbers.items()}
        )

    def required(self) -> list[str]:
        """Returns the source columns that are never empty."""
        derivations = {column.derivation for column in self.dataset.columns}
        names = [name for name, column in self.columns.items() if not column.nullable]
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


def parse_block(block: bytes, shape: SourceShape) -> pl.DataFrame:
    """Returns the block's source columns: epochs as integers, exact numbers as decimals, texts as they are.

    Args:
        block: Whole lines.
        shape: How they are read.

    Raises:
        SchemaDrift: The bytes are not lines of this layout.
        ContentRefused: A value is not of its column's type, not exact in it, or missing where it may not be.
    """
    facts = check_bytes(block, shape.dataset, shape.layout)
    quoted = ['""'] if facts.has_quotes else None
    exact = _reads_exactly(block, shape, facts)
    schema = shape.read_schema(numbers_as_text=not exact)
    try:
        raw = pl.read_csv(block, has_header=False, schema=schema, quote_char=None, null_values=quoted)
        typed = raw if exact else _with_numbers(raw, shape.numbers)
    except (pl.exceptions.PolarsError, DecimalException) as error:
        raise ContentRefused(str(error).partition("\n")[0], ADVICE) from error
    if raw.height != facts.lines:
        raise ContentRefused(f"{raw.height} rows in {facts.lines} lines", ADVICE)
    _check_present(typed, shape)
    return typed


def _reads_exactly(block: bytes, shape: SourceShape, facts: ByteFacts) -> bool:
    """Returns whether the CSV reader cannot round any number: no exponents, no more decimals than the column's type."""
    booleans = sum(column.type is LogicalType.BOOLEAN for column in shape.columns.values())
    # `true` and `false` have one e each: only further ones can be exponents.
    if facts.exponents != booleans * facts.lines:
        return False
    return not has_long_fraction(block, min(map(_scale, shape.numbers.values()), default=0))


def _with_numbers(raw: pl.DataFrame, numbers: dict[str, Column]) -> pl.DataFrame:
    """Returns the frame with its numbers, which were read as text, as decimals: by a cast if it cannot round them."""
    roundable = _roundable(raw, numbers) if raw.height else set()
    return raw.with_columns(
        _exactly(raw[name], column) if name in roundable else pl.col(name).cast(polars_type(column))
        for name, column in numbers.items()
    )


def _scale(column: Column) -> int:
    return column.decimal[1] if column.decimal else 0


def _roundable(raw: pl.DataFrame, numbers: dict[str, Column]) -> set[str]:
    """Returns the columns whose texts a cast could round: with exponents, or more decimals than the type."""
    tests = []
    for name, column in numbers.items():
        text = pl.col(name)
        places = text.str.len_bytes().cast(pl.Int64) - text.str.find(".", literal=True).cast(pl.Int64) - 1
        tests.append((places.max().fill_null(0) > _scale(column)) | text.str.contains("[eE]").any())
    results = raw.select(test.alias(name) for test, name in zip(tests, numbers, strict=True)).row(0, named=True)
    return {name for name, is_roundable in results.items() if is_roundable}


def _exactly(texts: pl.Series, column: Column) -> pl.Series:
    """Returns the texts as decimals, by exact arithmetic on the distinct texts."""
    distinct = texts.drop_nulls().unique(maintain_order=True)
    values = [_exact_text(text, _scale(column), column.name) for text in distinct]
    decimals = pl.Series(values, dtype=pl.String()).cast(polars_type(column))
    return texts.replace_strict(distinct, decimals, default=None, return_dtype=polars_type(column))


def _exact_text(text: str, scale: int, name: str) -> str:
    value = Decimal(text) if text.isascii() and "_" not in text else Decimal("NaN")
    if not value.is_finite() or abs(value.adjusted()) > 60:
        raise InvalidOperation(f"column {name} contains {text[:40]!r}, which is not a plausible number")
    digits = f"{value:f}"
    whole, _, decimals = digits.partition(".")
    if decimals[scale:].strip("0"):
        raise InvalidOperation(f"column {name} contains {text[:40]!r}: more than {scale} decimals")
    return f"{whole}.{decimals[:scale]}" if decimals else whole


def _check_present(frame: pl.DataFrame, shape: SourceShape) -> None:
    used, required = shape.columns, shape.required()
    empty = [name for name in required if frame[name].null_count()]
    if empty:
        raise ContentRefused(f"no value in column {empty[0]}, which is never empty", ADVICE)
    for name in required:
        is_text = name in used and used[name].type is LogicalType.STRING
        if is_text and not frame[name].unique().str.contains(_WORD).all():
            raise ContentRefused(f"column {name} contains text that is not a plain word", ADVICE)
