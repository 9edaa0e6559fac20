"""The deployment's configuration: one frozen object from a TOML file and the environment.

The file is the one that `CRYPTO_LAKEHOUSE_CONFIG` names, else `config/lakehouse.toml` of the current folder or of the
checkout; without a file the built-in defaults apply. Environment variables such as
`CRYPTO_LAKEHOUSE_ARCHIVE__ENDPOINT_URL` override the file. Unknown keys are errors in both.
"""

from crypto_lakehouse.settings.archive import ArchiveSettings, MissingChecksum, TransferProfile, default_profiles
from crypto_lakehouse.settings.deployment import Settings
from crypto_lakehouse.settings.docker import DockerSettings
from crypto_lakehouse.settings.ecs import EcsNetwork, EcsSettings
from crypto_lakehouse.settings.exchange import ExchangeSettings
from crypto_lakehouse.settings.files import CONFIG_PATH, PREFIX, config_file
from crypto_lakehouse.settings.kubernetes import KubernetesSettings, StepRequests
from crypto_lakehouse.settings.loading import load_settings
from crypto_lakehouse.settings.maintenance import MaintenanceSettings
from crypto_lakehouse.settings.markets import MarketFilter
from crypto_lakehouse.settings.query import QuerySettings
from crypto_lakehouse.settings.steps import ConformSettings, RunnerKind, StepLimits, StepSize
from crypto_lakehouse.settings.store import CatalogKind, CatalogSettings, StorageSettings

__all__ = [
    "CONFIG_PATH",
    "PREFIX",
    "ArchiveSettings",
    "CatalogKind",
    "CatalogSettings",
    "ConformSettings",
    "DockerSettings",
    "EcsNetwork",
    "EcsSettings",
    "ExchangeSettings",
    "KubernetesSettings",
    "MaintenanceSettings",
    "MarketFilter",
    "MissingChecksum",
    "QuerySettings",
    "RunnerKind",
    "Settings",
    "StepLimits",
    "StepRequests",
    "StepSize",
    "StorageSettings",
    "TransferProfile",
    "config_file",
    "default_profiles",
    "load_settings",
]
