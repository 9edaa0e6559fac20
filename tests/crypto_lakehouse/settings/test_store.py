"""The store and the catalog of a lake."""

import pytest
from pydantic import ValidationError

from crypto_lakehouse.settings import CatalogKind, CatalogSettings, StorageSettings


def test_the_embedded_catalog_is_the_default() -> None:
    assert CatalogSettings().kind is CatalogKind.EMBEDDED


@pytest.mark.parametrize("name", ["", "a b", "Upper", "semi;colon"])
def test_a_database_has_a_name_that_glue_accepts(name: str) -> None:
    with pytest.raises(ValidationError, match="glue_database"):
        CatalogSettings(glue_database=name)


def test_keys_of_the_store_show_in_no_text() -> None:
    settings = StorageSettings.model_validate({"access_key_id": "canary", "secret_access_key": "canary"})
    assert "canary" not in f"{settings} {settings!r} {settings.model_dump_json()}"
