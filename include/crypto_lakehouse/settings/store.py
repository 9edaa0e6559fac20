"""Settings of the store and the catalog of the lake."""

from enum import StrEnum

from pydantic import Field, SecretStr

from crypto_lakehouse.settings.files import HomePath
from crypto_lakehouse.settings.part import SettingsPart


class CatalogKind(StrEnum):
    """The kinds of catalog."""

    EMBEDDED = "embedded"
    GLUE = "glue"


class CatalogSettings(SettingsPart):
    """The catalog and its place."""

    kind: CatalogKind = CatalogKind.EMBEDDED
    path: HomePath | None = Field(
        None, description="File of the embedded catalog; by default in the folder of the lake"
    )
    glue_database: str = Field("crypto_lakehouse", pattern=r"^[a-z0-9_]{1,64}$")
    glue_endpoint_url: str | None = None
    region: str = "us-east-1"
    use_proxy: bool = Field(False, description="Whether requests to Glue use the proxy that HTTPS_PROXY names")


class StorageSettings(SettingsPart):
    """Access to a lake in S3. Without keys the process uses its own credentials, such as the role of a task."""

    endpoint_url: str | None = None
    region: str = "us-east-1"
    use_proxy: bool = Field(False, description="Whether requests to the store use the proxy that HTTPS_PROXY names")
    access_key_id: SecretStr | None = None
    secret_access_key: SecretStr | None = None
