"""Puts archive objects into a fake bucket, and settings that point at it."""

import hashlib
from datetime import date
from pathlib import Path

from crypto_lakehouse.archive.keys import ArchiveKey
from crypto_lakehouse.archive.pulling import Transfer
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.demo.synthetic import zipped
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.settings import Settings, TransferProfile
from crypto_lakehouse.vocabulary import Frequency, Interval
from tests.fakes.bucket import FakeBucket

QUICK = TransferProfile(retries=1, batch_timeout_seconds=900)


def put_object(
    bucket: FakeBucket,
    name: str,
    day: date,
    *,
    symbol: str = "BTCUSDT",
    monthly: bool = False,
    rows: bytes = b"1,2,3\n",
    checksum: bool = True,
) -> str:
    """Puts an object, and its CHECKSUM, into the bucket; returns its key."""
    row = dataset(name)
    frequency = Frequency.MONTHLY if monthly else Frequency.DAILY
    key = ArchiveKey(row, frequency, symbol, Interval.M1 if row.has_interval else None, day)
    content = zipped(f"{key.stem}.csv", rows)
    bucket.objects[key.key] = content
    if checksum:
        bucket.objects[key.checksum_key] = f"{hashlib.sha256(content).hexdigest()}  {key.stem}.zip".encode()
    return key.key


def settings_for(bucket: FakeBucket, folder: Path) -> Settings:
    """Returns settings of a lake in `folder` that reads the fake bucket."""
    return Settings(
        lake=str(folder / "lake"), work_folder=folder / "work", archive=bucket.archive, profiles={"default": QUICK}
    )


def transfer_for(settings: Settings, dataset_name: str = "binance_um_klines") -> Transfer:
    """Returns a transfer into the lake of these settings."""
    return Transfer(dataset_name, settings, settings.transfer_profile(), LocalStorage(Path(settings.lake)))
