"""What the lake needs of a catalog."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Protocol

from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import PublishedPartition
from crypto_lakehouse.spec import Table
from crypto_lakehouse.vocabulary import Interval


class PartitionSource(Protocol):
    """What knows which version of each partition is published."""

    def partitions(
        self,
        table: Table,
        *,
        symbols: Collection[str] | None = None,
        interval: Interval | None = None,
        first_day: date | None = None,
        last_day: date | None = None,
    ) -> list[PublishedPartition]:
        """Returns the published partitions that touch the days given, both inclusive, sorted by name."""


class Catalog(PartitionSource, Protocol):
    """The published version of each partition. `tests/contract` runs the same tests for both implementations."""

    def ensure_table(self, table: Table) -> None:
        """Creates a table, or adds the columns that its row has gained.

        Raises:
            SchemaDrift: The existing table has a column that the row lacks, or one of another type.
        """

    @property
    def is_conditional(self) -> bool:
        """Whether `publish` compares and sets in one step. If not, its caller looks again after the call."""

    def publish(
        self, records: Sequence[PublishedPartition], seen: Mapping[str, int] | None = None
    ) -> list[PublishedPartition]:
        """Points partitions at new versions: at every instant readers see the old one or the new one.

        Args:
            records: The new versions, all of one table.
            seen: The generation of each partition when the caller looked at the inputs, by name; a partition without
                one was not published. By default there is no condition.

        Returns:
            The records that were not published, because the generation of their partition is another one by now.

        Raises:
            LakehouseError: Some could not be published; the message names them. The others are.
        """

    def partition(self, partition: Partition) -> PublishedPartition | None:
        """Returns what readers see of a partition, or None."""

    def remove(self, partition: Partition) -> None:
        """Takes a partition away from readers; it is no error if it is not there."""

    def tables(self) -> list[str]:
        """Returns the names of the tables that were created, sorted."""

    def faults(self) -> list[str]:
        """Returns what is wrong with what the catalog is stored in; nothing where somebody else stores it."""

    def set_aside(self) -> str:
        """Moves what a damaged catalog is stored in to a name that shows it, and returns that name.

        The catalog is empty then. Returns an empty text and does nothing where somebody else stores it.
        """
