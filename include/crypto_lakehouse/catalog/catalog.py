"""What the lake needs of a catalog."""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Protocol

from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import PublishedPartition
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import Interval


class Catalog(Protocol):
    """Says which version of each partition readers see. `tests/contract` holds both implementations to it."""

    def ensure_table(self, dataset: Dataset) -> None:
        """Creates the dataset's table, or adds the columns the row has gained.

        Raises:
            SchemaDrift: The existing table has a column the row has not, or one of another type.
        """

    def publish(self, records: Sequence[PublishedPartition]) -> None:
        """Points partitions at new versions: each is the old one or the new one at every instant.

        Raises:
            LakehouseError: Some could not be published; the message names them. The others are.
        """

    def partition(self, partition: Partition) -> PublishedPartition | None:
        """Returns what readers see of a partition, or None."""

    def partitions(
        self,
        dataset: Dataset,
        *,
        symbols: Collection[str] | None = None,
        interval: Interval | None = None,
        first_day: date | None = None,
        last_day: date | None = None,
    ) -> list[PublishedPartition]:
        """Returns the published partitions that touch the days given, both inclusive, sorted by name."""

    def remove(self, partition: Partition) -> None:
        """Takes a partition out of readers' sight; removing what is not there is no error."""

    def datasets(self) -> list[str]:
        """Returns the names of the datasets that have a table, sorted."""
