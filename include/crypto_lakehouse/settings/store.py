"""The lake's store and its catalog."""

from enum import StrEnum
from pathlib import Path

from pydantic import Field, SecretStr

from crypto_lakehouse.settings.part import SettingsPart


class CatalogKind(StrEnum):
    """The catalog that lists what is published."""

    EMBEDDED = "embedded"
    GLUE = "glue"


class CatalogSettings(SettingsPart):
    """Which catalog, and where."""

    kind: CatalogKind = CatalogKind.EMBEDDED
    path: Path | None = Field(None, description="The embedded catalog's file; by default in the lake's folder")
    glue_database: str = Field("crypto_lakehouse", pattern=r"^[a-z0-9_]{1,64}$")
    glue_endpoint_url: str | None = None
    region: str = "us-east-1"


class StorageSettings(SettingsPart):
    """How to reach the lake's own store when it is S3; credentials come from the task's role or these."""

    endpoint_url: str | None = None
    region: str = "us-east-1"
    access_key_id: SecretStr | None = None
    secret_access_key: SecretStr | None = None
