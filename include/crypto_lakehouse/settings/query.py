"""Settings of SQL queries."""

from pydantic import Field

from crypto_lakehouse.settings.part import SettingsPart


class QuerySettings(SettingsPart):
    """The limits of a query that does not name its own."""

    max_rows: int = Field(1_000_000, ge=1, description="Rows of the result")
    memory_mib: int = Field(2048, ge=64, description="Memory of the query; nothing is written to disk")
    threads: int = Field(2, ge=1, le=256)
    timeout_seconds: float = Field(120.0, gt=0, description="The query is ended after this time")
    max_result_mib: int = Field(1024, ge=1, description="Size of the result in memory")
