"""The AWS Glue catalog: tables made from the rows of datasets and marts, one Glue partition per published partition.

Terraform owns databases and tables in production; `ensure_table` then finds what it expects. The pipeline owns the
partitions: a version is published by one update of a partition's location, old or new, never both.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from crypto_lakehouse.catalog.glue_tables import glue_columns, storage_descriptor, table_input
from crypto_lakehouse.errors import SchemaDrift, SourceUnavailable
from crypto_lakehouse.lake.partition import Partition, table_folder
from crypto_lakehouse.lake.records import PublishedPartition
from crypto_lakehouse.marts import table as table_row
from crypto_lakehouse.settings import CatalogSettings
from crypto_lakehouse.spec import Table
from crypto_lakehouse.symbols import symbol_key
from crypto_lakehouse.vocabulary import Condition, Interval

if TYPE_CHECKING:
    from mypy_boto3_glue.client import GlueClient

BATCH = 100
"""Glue takes at most 100 partitions in one call; its stand-ins take more, so the limit is ours to keep."""

_MAX_REASONS_BYTES = 4000
"""A parameter value may have 512 kB; what people read has less."""


class GlueCatalog:
    """A catalog in AWS Glue.

    Args:
        settings: Database, endpoint, region.
        lake: The lake's root, which locations start with.
    """

    def __init__(self, settings: CatalogSettings, lake: str) -> None:
        self._database, self._lake = settings.glue_database, lake.rstrip("/")
        self._client: GlueClient = boto3.client(
            "glue",
            endpoint_url=settings.glue_endpoint_url,
            region_name=settings.region,
            # Throttling is normal for Glue; adaptive mode slows this process down instead of failing it.
            config=Config(
                retries={"mode": "adaptive", "total_max_attempts": 8},
                # None lets botocore read HTTPS_PROXY; an empty mapping is no proxy.
                proxies=None if settings.use_proxy else {},
            ),
        )

    def ensure_table(self, table: Table) -> None:
        """Creates a table, or adds the columns that its row has gained at its end.

        Raises:
            SchemaDrift: The existing table has a column that the row lacks, or one of another type.
            SourceUnavailable: Glue did not answer.
        """
        with _translated(table.name):
            self._ensure_database()
            wanted = table_input(table, f"{self._lake}/{table_folder(table)}")
            try:
                existing = self._client.get_table(DatabaseName=self._database, Name=table.name)["Table"]
            except self._client.exceptions.EntityNotFoundException:
                self._create(wanted)
                return
            columns = existing.get("StorageDescriptor", {}).get("Columns", [])
            if _is_older(table, [(column["Name"], column.get("Type", "")) for column in columns]):
                self._client.update_table(DatabaseName=self._database, TableInput=cast("Any", wanted))

    def _ensure_database(self) -> None:
        try:
            self._client.get_database(Name=self._database)
        except self._client.exceptions.EntityNotFoundException:
            try:
                self._client.create_database(DatabaseInput={"Name": self._database})
            except self._client.exceptions.AlreadyExistsException:
                return

    def _create(self, wanted: dict[str, Any]) -> None:
        try:
            self._client.create_table(DatabaseName=self._database, TableInput=cast("Any", wanted))
        except self._client.exceptions.AlreadyExistsException:
            # Another process was quicker; it made it from the same row.
            return

    @property
    def is_conditional(self) -> bool:
        """Always False: Glue has no condition on a partition. `publish` looks before and after it writes."""
        return False

    def publish(
        self, records: Sequence[PublishedPartition], seen: Mapping[str, int] | None = None
    ) -> list[PublishedPartition]:
        """Points partitions at new versions: new partitions are created, existing ones updated, in chunks of 100.

        Args:
            records: The new versions, all of one table.
            seen: The generation of each partition when the caller looked at the inputs, by name. No condition if None.

        Returns:
            The records that were not published, or whose partition another call has changed since.

        Raises:
            SourceUnavailable: Glue refused some; the message names them. The others are published.
        """
        failed: dict[str, str] = {}
        refused: list[PublishedPartition] = []
        for start in range(0, len(records), BATCH):
            chunk = records[start : start + BATCH]
            with _translated(chunk[0].dataset):
                before = self._stored(chunk)
                current = [record for record in chunk if seen is None or _is_as_seen(record, before, seen)]
                raised = [replace(record, generation=_generation(record, before) + 1) for record in current]
                failed |= self._publish_chunk(raised) if raised else {}
                after = self._stored(raised)
            refused += [record for record in chunk if record not in current]
            refused += [record for record in raised if record.partition not in failed and not _is_there(record, after)]
        if failed:
            name, code = next(iter(failed.items()))
            raise SourceUnavailable(
                f"Glue refused {len(failed)} of {len(records)} partitions, the first with {code}",
                "Repeat the step: published ones stay as they are",
                dataset=records[0].dataset,
                partition=name,
            )
        return refused

    def _stored(self, records: Sequence[PublishedPartition]) -> dict[str, PublishedPartition]:
        """Returns what the catalog has of the partitions of records, by partition."""
        if not records:
            return {}
        wanted: list[Any] = [{"Values": _values(record)} for record in records]
        table, stored = table_row(records[0].dataset), dict[str, PublishedPartition]()
        while wanted:
            answer = self._client.batch_get_partition(
                DatabaseName=self._database, TableName=table.name, PartitionsToGet=wanted
            )
            answered = [_record(table, raw) for raw in answer["Partitions"]]
            stored |= {record.partition: record for record in answered}
            wanted = answer.get("UnprocessedKeys", [])
        return stored

    def _publish_chunk(self, chunk: Sequence[PublishedPartition]) -> dict[str, str]:
        table_name = chunk[0].dataset
        inputs = {tuple(_values(record)): self._input(record) for record in chunk}
        names = {tuple(_values(record)): record.partition for record in chunk}
        created = self._client.batch_create_partition(
            DatabaseName=self._database, TableName=table_name, PartitionInputList=cast("Any", list(inputs.values()))
        )
        errors = {
            tuple(error["PartitionValues"]): error["ErrorDetail"]["ErrorCode"] for error in created.get("Errors", ())
        }
        existing = [values for values, code in errors.items() if code == "AlreadyExistsException"]
        failed = {names[values]: code for values, code in errors.items() if code != "AlreadyExistsException"}
        if existing:
            updated = self._client.batch_update_partition(
                DatabaseName=self._database,
                TableName=table_name,
                Entries=cast(
                    "Any",
                    [{"PartitionValueList": list(values), "PartitionInput": inputs[values]} for values in existing],
                ),
            )
            failed |= {
                names[tuple(error["PartitionValueList"])]: error["ErrorDetail"]["ErrorCode"]
                for error in updated.get("Errors", ())
            }
        return failed

    def _input(self, record: PublishedPartition) -> dict[str, Any]:
        # A partition whose descriptor differs from its table's cannot be queried: both come from the row.
        descriptor = storage_descriptor(table_row(record.dataset), f"{self._lake}/{record.location}")
        return {"Values": _values(record), "StorageDescriptor": descriptor, "Parameters": _parameters(record)}

    def partition(self, partition: Partition) -> PublishedPartition | None:
        """Returns what readers see of a partition, or None.

        Raises:
            SourceUnavailable: Glue did not answer.
        """
        with _translated(partition.table.name):
            try:
                answer = self._client.get_partition(
                    DatabaseName=self._database,
                    TableName=partition.table.name,
                    PartitionValues=list(partition.values.values()),
                )
            except self._client.exceptions.EntityNotFoundException:
                return None
        return _record(partition.table, answer["Partition"])

    def partitions(
        self,
        table: Table,
        *,
        symbols: Collection[str] | None = None,
        interval: Interval | None = None,
        first_day: date | None = None,
        last_day: date | None = None,
    ) -> list[PublishedPartition]:
        """Returns the published partitions that touch the days given, both inclusive, sorted by name.

        Raises:
            SourceUnavailable: Glue did not answer.
        """
        records = [
            _record(table, raw)
            for expression in _expressions(symbols, interval)
            for raw in self._pages(table, expression)
        ]
        kept = []
        for record in records:
            partition = Partition.parse(table, record.partition)
            if (last_day is None or partition.first_day <= last_day) and (
                first_day is None or partition.last_day >= first_day
            ):
                kept.append(record)
        return sorted(kept, key=lambda record: record.partition)

    def _pages(self, table: Table, expression: str) -> Iterator[Any]:
        pages = self._client.get_paginator("get_partitions").paginate(
            DatabaseName=self._database,
            TableName=table.name,
            **({"Expression": expression} if expression else {}),  # type: ignore[arg-type]
        )
        with _translated(table.name):
            try:
                for page in pages:
                    yield from page["Partitions"]
            except self._client.exceptions.EntityNotFoundException:
                # No table yet: nothing is published.
                return

    def remove(self, partition: Partition) -> None:
        """Takes a partition away from readers; it is no error if it is not there.

        Raises:
            SourceUnavailable: Glue did not answer.
        """
        with _translated(partition.table.name):
            try:
                self._client.delete_partition(
                    DatabaseName=self._database,
                    TableName=partition.table.name,
                    PartitionValues=list(partition.values.values()),
                )
            except self._client.exceptions.EntityNotFoundException:
                return

    def faults(self) -> list[str]:
        """Returns nothing: AWS stores the catalog."""
        return []

    def set_aside(self) -> str:
        """Does nothing and returns an empty text: AWS stores the catalog."""
        return ""

    def tables(self) -> list[str]:
        """Returns the names of the tables that were created, sorted.

        Raises:
            SourceUnavailable: Glue did not answer.
        """
        with _translated(self._database):
            try:
                pages = self._client.get_paginator("get_tables").paginate(DatabaseName=self._database)
                return sorted(table["Name"] for page in pages for table in page["TableList"])
            except self._client.exceptions.EntityNotFoundException:
                return []


@contextmanager
def _translated(table_name: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "unknown")
        raise SourceUnavailable(
            f"Glue answered {code}", "Check the role's rights; then repeat", dataset=table_name
        ) from error
    except BotoCoreError as error:
        raise SourceUnavailable(f"Glue did not answer: {type(error).__name__}", "Repeat", dataset=table_name) from error


def _is_older(table: Table, existing: list[tuple[str, str]]) -> bool:
    """Returns whether a table lacks columns at its end; anything else that differs is refused."""
    wanted = [(column["Name"], column["Type"]) for column in glue_columns(table)]
    if wanted[: len(existing)] != existing:
        different = [pair for pair in existing if pair not in wanted] or existing
        raise SchemaDrift(
            f"the Glue table has {different[0][0]} {different[0][1]} and the row of the table has no such column",
            "Columns may only be added at the end; give a changed column a new name",
            dataset=table.name,
        )
    return len(existing) < len(wanted)


def _expressions(symbols: Collection[str] | None, interval: Interval | None) -> list[str]:
    """Returns filter expressions; symbol keys hold no quote, by `symbols.symbol_key`."""
    parts = [f"kline_interval = '{interval.value}'"] if interval else []
    if symbols is None:
        return [" AND ".join(parts)]
    return [" AND ".join([*parts, f"symbol_key = '{symbol_key(symbol)}'"]) for symbol in sorted(symbols)]


def _generation(record: PublishedPartition, stored: Mapping[str, PublishedPartition]) -> int:
    return stored[record.partition].generation if record.partition in stored else 0


def _is_as_seen(record: PublishedPartition, stored: Mapping[str, PublishedPartition], seen: Mapping[str, int]) -> bool:
    return _generation(record, stored) == seen.get(record.partition, 0)


def _is_there(record: PublishedPartition, stored: Mapping[str, PublishedPartition]) -> bool:
    """Returns whether the catalog holds the version of a record."""
    return record.partition in stored and stored[record.partition].location == record.location


def _values(record: PublishedPartition) -> list[str]:
    return list(Partition.parse(table_row(record.dataset), record.partition).values.values())


def _parameters(record: PublishedPartition) -> dict[str, str]:
    reasons = json.dumps(record.reasons, ensure_ascii=True)
    if len(reasons) > _MAX_REASONS_BYTES:
        reasons = json.dumps([f"{len(record.reasons)} reasons; see the verdict log"])
    return {
        "file": record.file,
        "location": record.location,
        "sha256": record.sha256,
        "bytes": str(record.bytes),
        "rows": str(record.rows),
        "inputs_digest": record.inputs_digest,
        "first_time": record.first_time.isoformat() if record.first_time else "",
        "last_time": record.last_time.isoformat() if record.last_time else "",
        "condition": record.condition.value,
        "reasons": reasons,
        "run_id": record.run_id,
        "published_at": record.published_at.isoformat(),
        "schema_version": record.schema_version,
        "generation": str(record.generation),
    }


def _record(table: Table, raw: Any) -> PublishedPartition:
    values = dict(zip(table.partition_keys, raw["Values"], strict=True))
    stored = raw["Parameters"]

    def instant(name: str) -> datetime | None:
        return datetime.fromisoformat(stored[name]) if stored[name] else None

    return PublishedPartition(
        dataset=table.name,
        partition=Partition.from_values(table, values).name,
        location=stored["location"],
        file=stored["file"],
        sha256=stored["sha256"],
        bytes=int(stored["bytes"]),
        rows=int(stored["rows"]),
        inputs_digest=stored["inputs_digest"],
        first_time=instant("first_time"),
        last_time=instant("last_time"),
        condition=Condition(stored["condition"]),
        reasons=tuple(json.loads(stored["reasons"])),
        run_id=stored["run_id"],
        published_at=datetime.fromisoformat(stored["published_at"]),
        schema_version=stored["schema_version"],
        generation=int(stored["generation"]),
    )
