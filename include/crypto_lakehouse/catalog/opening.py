"""Opens the catalog that a deployment's settings name."""

from pathlib import Path

from crypto_lakehouse.catalog.catalog import Catalog
from crypto_lakehouse.catalog.embedded import EmbeddedCatalog
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.extras import require
from crypto_lakehouse.settings import CatalogKind, Settings


def open_catalog(settings: Settings) -> Catalog:
    """Returns the deployment's catalog.

    Raises:
        MissingExtra: The catalog is AWS Glue, and the extra `glue` is not installed.
        InvalidRequest: An embedded catalog has no place: the lake is remote and no path is set.
    """
    if settings.catalog.kind is CatalogKind.GLUE:
        require("glue")
        from crypto_lakehouse.catalog.glue import GlueCatalog

        return GlueCatalog(settings.catalog, settings.lake)
    if settings.catalog.path is not None:
        return EmbeddedCatalog(settings.catalog.path)
    if settings.lake.startswith("s3://"):
        raise InvalidRequest(
            "an embedded catalog cannot lie in S3", "Set CRYPTO_LAKEHOUSE_CATALOG__PATH, or use the glue catalog"
        )
    return EmbeddedCatalog(Path(settings.lake.removeprefix("file://")) / "catalog" / "catalog.sqlite")
