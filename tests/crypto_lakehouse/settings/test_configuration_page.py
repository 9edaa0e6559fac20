from pathlib import Path

import pytest
from pydantic import BaseModel

from crypto_lakehouse.settings import Settings, TransferProfile, default_profiles

PAGE = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text(encoding="utf-8")


def leaves(model: type[BaseModel], prefix: str = "") -> list[str]:
    """Returns the dotted names of a model's settings."""
    names: list[str] = []
    for name, field in model.model_fields.items():
        nested = field.annotation
        if isinstance(nested, type) and issubclass(nested, BaseModel):
            names += leaves(nested, f"{prefix}{name}.")
        else:
            names.append(f"{prefix}{name}")
    return names


@pytest.mark.parametrize("name", [one for one in leaves(Settings) if one not in {"markets", "profiles"}])
def test_the_page_names_every_setting(name: str) -> None:
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("name", list(TransferProfile.model_fields))
def test_the_page_gives_every_profile_s_values(name: str) -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}`"))
    cells = [cell.strip() for cell in row.split("|")[2:-1]]
    values = [getattr(profile, name) for profile in default_profiles().values()]
    assert cells == [f"{value:g}" if isinstance(value, int | float) else "none" for value in values]
