"""Settings of the care of the lake."""

from pydantic import Field

from crypto_lakehouse.settings.part import SettingsPart


class MaintenanceSettings(SettingsPart):
    """How much a scrub reads, and how long old files are kept."""

    grace_days: int = Field(14, ge=7, description="Versions and leftovers that are younger are kept")
    evidence_days: int = Field(180, ge=30, description="Runs, their evidence and damaged files are kept so long")
    scrub_days: int = Field(28, ge=7, description="A weekly scrub reads each stored file once in so many days")
    scrub_mib: int = Field(262_144, ge=1, description="What one scrub reads at most, in MiB")
