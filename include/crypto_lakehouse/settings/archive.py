"""Settings of the archive and of downloads from it."""

from enum import StrEnum

from pydantic import Field

from crypto_lakehouse.settings.part import SettingsPart


class MissingChecksum(StrEnum):
    """Whether an object that the archive publishes without a CHECKSUM is accepted."""

    ACCEPT = "accept"
    REFUSE = "refuse"


class ArchiveSettings(SettingsPart):
    """The bucket of the archive. Requests are unsigned and use path-style addresses."""

    endpoint_url: str = "https://s3-ap-northeast-1.amazonaws.com"
    bucket: str = Field("data.binance.vision", pattern=r"^[a-z0-9][a-z0-9.-]{2,62}$")
    region: str = "ap-northeast-1"
    missing_checksum: MissingChecksum = MissingChecksum.ACCEPT
    checksum_retries: int = Field(2, ge=0, le=10, description="Extra downloads of an object whose CHECKSUM differs")
    allow_shrinkage: bool = False
    max_page_mib: int = Field(16, ge=1, description="Size of a page of a listing once it is inflated")
    max_pages: int = Field(10_000, ge=1, description="Pages of one listing; a page has up to 1,000 keys")


class TransferProfile(SettingsPart):
    """The load of a pull: threads of the listing, and the options of s5cmd."""

    batch_objects: int = Field(100, ge=1, le=100)
    workers: int = Field(16, ge=1, le=32, description="s5cmd workers per batch")
    listing_threads: int = Field(8, ge=1, le=64)
    retries: int = Field(5, ge=0, le=20)
    part_size_mib: int = Field(50, ge=5, le=512)
    concurrency: int = Field(1, ge=1, le=16, description="Parts of one object that are read at the same time")
    connect_timeout_seconds: float = Field(10.0, gt=0)
    read_timeout_seconds: float = Field(60.0, gt=0, description="Longest pause within a page of a listing")
    page_timeout_seconds: float = Field(
        300.0, gt=0, description="Longest time of the headers, and of the body, of a page"
    )
    batch_timeout_seconds: float = Field(1800.0, gt=0)
    s5cmd_arguments: tuple[str, ...] = ()


def default_profiles() -> dict[str, TransferProfile]:
    """Returns the built-in profiles. A configuration may replace them and add others."""
    return {
        "default": TransferProfile(),
        "high-throughput": TransferProfile(workers=32, listing_threads=32, concurrency=4),
        "small-memory": TransferProfile(batch_objects=20, workers=4, listing_threads=2, part_size_mib=8),
        "bad-network": TransferProfile(
            batch_objects=20, workers=4, listing_threads=2, retries=15, read_timeout_seconds=180.0
        ),
    }
