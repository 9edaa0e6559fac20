"""The settings of a deployment, one frozen object."""

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.settings.archive import ArchiveSettings, TransferProfile, default_profiles
from crypto_lakehouse.settings.docker import DockerSettings
from crypto_lakehouse.settings.ecs import EcsSettings
from crypto_lakehouse.settings.exchange import ExchangeSettings
from crypto_lakehouse.settings.files import PREFIX, HomePath, config_file, lake_address
from crypto_lakehouse.settings.kubernetes import KubernetesSettings
from crypto_lakehouse.settings.maintenance import MaintenanceSettings
from crypto_lakehouse.settings.markets import MarketFilter, MarketName, default_market_filters
from crypto_lakehouse.settings.query import QuerySettings
from crypto_lakehouse.settings.steps import ConformSettings, RunnerKind, StepSize
from crypto_lakehouse.settings.store import CatalogSettings, StorageSettings
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import Step, market_name


class Settings(BaseSettings):
    """The settings of a deployment.

    Args:
        lake: The lake's root: a folder, or `s3://bucket/prefix`.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        nested_model_default_partial_update=True,
        # A refused value may be a secret under a misspelt name, and errors are logged with their causes.
        hide_input_in_errors=True,
    )

    lake: str = "lake"
    runner: RunnerKind = RunnerKind.LOCAL
    runners: dict[Step, RunnerKind] = Field(default_factory=dict, description="By step; overrides `runner`")
    sizes: dict[str, StepSize] = Field(default_factory=dict, description="Settings for the steps of large orders")
    docker: DockerSettings = DockerSettings()
    kubernetes: KubernetesSettings = KubernetesSettings()
    ecs: EcsSettings = EcsSettings()
    profile: str = "default"
    work_folder: HomePath | None = Field(
        None, description="Folder for scratch files; by default the temporary folder of the system"
    )
    archive: ArchiveSettings = ArchiveSettings()
    storage: StorageSettings = StorageSettings()
    catalog: CatalogSettings = CatalogSettings()
    exchange: ExchangeSettings = ExchangeSettings()
    conform: ConformSettings = ConformSettings()
    maintenance: MaintenanceSettings = MaintenanceSettings()
    query: QuerySettings = QuerySettings()
    markets: dict[MarketName, MarketFilter] = Field(default_factory=default_market_filters)
    profiles: dict[str, TransferProfile] = Field(default_factory=default_profiles)
    start_date: str = "2024-01-01"

    @field_validator("lake", mode="after")
    @classmethod
    def _at_home(cls, lake: str) -> str:
        return lake_address(lake)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Lets the environment override the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, config_file())

    def market_filter(self, dataset: Dataset) -> MarketFilter:
        """Returns the symbols and intervals that scheduled runs of a dataset cover.

        A market without a filter, neither configured nor built in, covers the dataset's sample symbol.
        """
        name = market_name(dataset.exchange, dataset.market)
        # A file that sets the filter of one market does not change the others.
        default = default_market_filters().get(name) or MarketFilter(symbols=(dataset.sample_symbol,))
        return self.markets.get(name, default)

    def runner_of(self, step: Step) -> RunnerKind:
        """Returns the runner of a step."""
        return self.runners.get(step, self.runner)

    def for_order(self, size: int) -> "Settings":
        """Returns the settings of steps whose order is about `size` bytes: larger sizes override smaller ones."""
        settings = self
        for step_size in sorted(self.sizes.values(), key=lambda step_size: step_size.from_mib):
            if size >= step_size.from_mib * 2**20:
                settings = settings.model_copy(update=settings._sized(step_size))
        return settings

    def _sized(self, size: StepSize) -> dict[str, object]:
        """Returns the fields that a size changes."""
        docker, kubernetes = self.docker, self.kubernetes
        selector = {**kubernetes.node_selector, **size.node_selector}
        return {
            "runner": size.runner or self.runner,
            "runners": {**({} if size.runner else self.runners), **size.runners},
            "docker": docker.model_copy(update={"limits": {**docker.limits, **size.limits}}),
            "kubernetes": kubernetes.model_copy(update={"node_selector": selector}),
        }

    def transfer_profile(self, name: str = "") -> TransferProfile:
        """Returns the named profile, or the profile of the deployment.

        Raises:
            InvalidRequest: No profile has that name.
        """
        chosen = name or self.profile
        if chosen not in self.profiles:
            raise InvalidRequest(f"no profile has the name {chosen!r}", f"Known: {', '.join(self.profiles)}")
        return self.profiles[chosen]
