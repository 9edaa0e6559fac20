"""The care of the lake on what Terraform applied: each kind of damage, its repair, and a collection years later."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest

from crypto_lakehouse.catalog.opening import open_catalog
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.instants import utc_now
from crypto_lakehouse.lake.opening import open_storage
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.running import RunStep, run_alone
from crypto_lakehouse.runs.orders import CollectOrder, RepairOrder, ScrubOrder
from crypto_lakehouse.settings import MaintenanceSettings, Settings
from crypto_lakehouse.vocabulary import Step


class Care:
    """Damages a lake with one published partition, and runs the steps of the maintenance after each damage.

    Args:
        settings: The deployment; a scrub reads all files at once.
        name: The dataset.
    """

    def __init__(self, settings: Settings, name: str) -> None:
        everything = MaintenanceSettings(scrub_days=7)
        self._settings = settings.model_copy(update={"maintenance": everything})
        self._dataset, self._storage = dataset(name), open_storage(settings)
        self._catalog = open_catalog(self._settings)

    def damage_files(self) -> None:
        """Flips a bit of the published file, and leaves an object whose bytes are not of its name."""
        (published,) = self._catalog.partitions(self._dataset)
        data = bytearray(self._storage.read(published.file))
        data[len(data) // 2] ^= 1
        self._storage.write(published.file, bytes(data))
        self._storage.write(self._object("0" * 64), b"rotten")

    def damage_records(self) -> None:
        """Cuts the first commits of the logs, and takes the partition out of the catalog."""
        (published,) = self._catalog.partitions(self._dataset)
        self._catalog.remove(Partition.parse(self._dataset, published.partition))
        name = self._dataset.name
        for log in (
            f"bronze/{name}/log/",
            f"coverage/{name}/",
            f"runs/{name}/log/",
            "instruments/binance_um/versions/",
        ):
            for first in [file.key for file in self._storage.list(log) if file.key.endswith("000001.commit")]:
                self._storage.write(first, self._storage.read(first)[:-1])

    def lose_object(self) -> None:
        """Flips a bit of the published file, and removes an object that it is made from."""
        self.damage_files()
        objects = [file.key for file in self._storage.list(f"bronze/{self._dataset.name}/objects/")]
        self._storage.delete(next(key for key in objects if "2024-05-02" in key))

    def leave_behind(self) -> None:
        """Leaves an object that no log names, as a killed pull does."""
        data = b"of a killed pull"
        self._storage.write(self._object(hashlib.sha256(data).hexdigest()), data)

    def scrub_and_repair(self, run_id: str, run: RunStep) -> Any:
        """Returns the outcome of the repair."""
        run_alone(Step.SCRUB, ScrubOrder(run_id), self._settings, run=run)
        return run_alone(Step.REPAIR, RepairOrder(run_id), self._settings, run=run).completed()

    def collect_later(self, run: RunStep) -> Any:
        """Returns the outcome of a collection in two years."""
        later = utc_now() + timedelta(days=730)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("crypto_lakehouse.maintenance.collecting.utc_now", lambda: later)
            return run_alone(Step.COLLECT, CollectOrder("care"), self._settings, run=run).completed()

    def _object(self, sha256: str) -> str:
        return f"bronze/{self._dataset.name}/objects/daily/BTCUSDT/1h/2023-01-01/{sha256}.zip"
