"""The deployment's configuration: one frozen object from a TOML file and the environment.

The file is `config/lakehouse.toml` or what `CRYPTO_LAKEHOUSE_CONFIG` names; environment variables such as
`CRYPTO_LAKEHOUSE_ARCHIVE__ENDPOINT_URL` win over it. Unknown keys are refused in both.
"""

import os
import tomllib
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.remote_settings import EcsSettings, KubernetesSettings
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.symbols import validated_pattern
from crypto_lakehouse.verbs import verb_of
from crypto_lakehouse.vocabulary import Exchange, Interval, Market, Step, market_name

PREFIX = "CRYPTO_LAKEHOUSE_"
DEFAULT_CONFIG = Path(__file__).parents[2] / "config" / "lakehouse.toml"


def _symbol_pattern(text: str) -> str:
    try:
        return validated_pattern(text)
    except InvalidRequest as error:
        # As a ValueError it is collected with the other faults, under the name of its key.
        raise ValueError(error.what) from error


SymbolPattern = Annotated[str, AfterValidator(_symbol_pattern)]
"""A symbol, or a glob of `*` and `?` over symbols."""


class RunnerKind(StrEnum):
    """What runs a step: a subprocess here, or a container somewhere."""

    LOCAL = "local"
    DOCKER = "docker"
    KUBERNETES = "kubernetes"
    ECS = "ecs"


class MissingChecksum(StrEnum):
    """What to do with an object that the archive publishes without a CHECKSUM."""

    ACCEPT = "accept"
    REFUSE = "refuse"


class CatalogKind(StrEnum):
    """Which catalog says what is published."""

    EMBEDDED = "embedded"
    GLUE = "glue"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ArchiveSettings(_Part):
    """Where the archive is: an S3 endpoint and bucket, read unsigned and path-style."""

    endpoint_url: str = "https://s3-ap-northeast-1.amazonaws.com"
    bucket: str = Field("data.binance.vision", pattern=r"^[a-z0-9][a-z0-9.-]{2,62}$")
    region: str = "ap-northeast-1"
    missing_checksum: MissingChecksum = MissingChecksum.ACCEPT
    checksum_retries: int = Field(2, ge=0, le=10, description="Extra downloads of an object whose CHECKSUM differs")
    allow_shrinkage: bool = False


class TransferProfile(_Part):
    """How hard to pull: the knobs of listing and of s5cmd."""

    batch_objects: int = Field(100, ge=1, le=100)
    workers: int = Field(16, ge=1, le=32, description="s5cmd workers per batch")
    listing_threads: int = Field(8, ge=1, le=64)
    retries: int = Field(5, ge=0, le=20)
    part_size_mib: int = Field(50, ge=5, le=512)
    concurrency: int = Field(
        1, ge=1, le=16, description="Parts of one object at once; 1 reads an object in one request"
    )
    connect_timeout_seconds: float = Field(10.0, gt=0)
    read_timeout_seconds: float = Field(60.0, gt=0)
    batch_timeout_seconds: float = Field(1800.0, gt=0)
    s5cmd_arguments: tuple[str, ...] = ()


class MarketFilter(_Part):
    """Which symbols and intervals of a market the scheduled runs hold; a DAG run's Params win over it."""

    symbols: tuple[SymbolPattern, ...] = ("BTCUSDT", "ETHUSDT")
    intervals: tuple[Interval, ...] = (Interval.M1, Interval.H1)


class CatalogSettings(_Part):
    """Which catalog, and where."""

    kind: CatalogKind = CatalogKind.EMBEDDED
    path: Path | None = Field(None, description="The embedded catalog's file; by default in the lake's folder")
    glue_database: str = Field("crypto_lakehouse", pattern=r"^[a-z0-9_]{1,64}$")
    glue_endpoint_url: str | None = None
    region: str = "us-east-1"


class StorageSettings(_Part):
    """How to reach the lake's own store when it is S3; credentials come from the task's role or these."""

    endpoint_url: str | None = None
    region: str = "us-east-1"
    access_key_id: SecretStr | None = None
    secret_access_key: SecretStr | None = None


class ExchangeSettings(_Part):
    """How to ask the exchange for what its archive does not have yet; public data needs no key."""

    enabled: bool = True
    spot_url: str = Field("https://data-api.binance.vision", description="The host of public spot data")
    um_url: str = "https://fapi.binance.com"
    cm_url: str = "https://dapi.binance.com"
    coinbase_url: str = "https://api.exchange.coinbase.com"
    kraken_url: str = "https://api.kraken.com"
    budget_share: float = Field(0.5, gt=0, le=1, description="Of the exchange's limits, for all our tasks together")
    limits_file: Path | None = Field(None, description="What is used of the limits; by default in the temporary folder")
    timeout_seconds: float = Field(15.0, gt=0)
    workers: int = Field(4, ge=1, le=16, description="Requests under way at once, in one step")
    attempts: int = Field(4, ge=1, le=10, description="Of one request")
    max_wait_seconds: float = Field(150.0, ge=0, description="Longest wait for the exchange's leave within a step")
    api_key: SecretStr | None = Field(None, description="Only futures trades need one; any key with no rights will do")

    @field_validator("spot_url", "um_url", "cm_url", "coinbase_url", "kraken_url")
    @classmethod
    def _is_a_real_market(cls, url: str) -> str:
        # Its data is separate and looks real.
        if "testnet" in url or "sandbox" in url:
            raise ValueError("is a test network's: its data is not the market's")
        return url.rstrip("/")


class ConformSettings(_Part):
    """Bounds of the transform: what one object may be, and how much is worked on at once."""

    max_object_bytes: int = Field(8 * 2**30, gt=0, description="Inflated bytes of one member")
    max_ratio: float = Field(200.0, gt=1, description="Inflated per compressed bytes; constant klines reach 21")
    max_rows: int = Field(400_000_000, gt=0)
    partitions_per_batch: int = Field(100, ge=1, le=100)


class StepLimits(_Part):
    """What a step's container may use; its scratch space is memory and counts as such."""

    memory_mib: int = Field(4096, ge=64)
    cpus: float = Field(2.0, gt=0)
    scratch_mib: int = Field(2048, ge=16)


class StepSize(_Part):
    """How steps run whose orders are about much: over what is said for all."""

    from_mib: int = Field(gt=0, description="Of the archive objects that an order is about, as downloaded")
    runner: RunnerKind | None = None
    runners: dict[Step, RunnerKind] = Field(default_factory=dict, description="For single steps, over `runner`")
    limits: dict[Step, StepLimits] = Field(default_factory=dict)
    node_selector: dict[str, str] = Field(default_factory=dict, description="On Kubernetes, over the deployment's")


class DockerSettings(_Part):
    """How steps run in containers of a Docker engine; see docs/containers.md."""

    host: str | None = Field(None, description="The engine; by default what DOCKER_HOST says, or the local socket")
    registry: str = Field("crypto-lakehouse", description="What the images' names start with")
    tag: str = "latest"
    images: dict[Step, str] = Field(default_factory=dict, description="Whole names, over registry and tag")
    user: str = Field("10001:10001", pattern=r"^[1-9][0-9]*:[0-9]+$", description="Never root")
    network: str = Field("bridge", description="Of the steps that need one")
    lake_source: str | None = Field(None, description="The engine's name for a lake that is a folder: a path or volume")
    mounts: tuple[Annotated[str, Field(pattern=r"^[^:]+:/[^:]+(:ro)?$")], ...] = ()
    pass_environment: tuple[str, ...] = Field((), description="Variables of the worker that steps get too")
    limits: dict[Step, StepLimits] = Field(default_factory=dict)

    def image(self, step: Step) -> str:
        """Returns the image that carries out a step."""
        return self.images.get(step) or f"{self.registry}/{verb_of(step).image}:{self.tag}"

    def limits_of(self, step: Step) -> StepLimits:
        """Returns what a step may use."""
        return self.limits.get(step) or StepLimits()


def default_profiles() -> dict[str, TransferProfile]:
    """Returns the ready profiles; a configuration may replace them or add its own."""
    return {
        "default": TransferProfile(),
        "high-throughput": TransferProfile(workers=32, listing_threads=32, concurrency=4),
        "small-memory": TransferProfile(batch_objects=20, workers=4, listing_threads=2, part_size_mib=8),
        "bad-network": TransferProfile(
            batch_objects=20, workers=4, listing_threads=2, retries=15, read_timeout_seconds=180.0
        ),
    }


def _known_market(name: str) -> str:
    known = {market_name(exchange, market) for exchange in Exchange for market in Market}
    if name not in known:
        raise ValueError(f"{name!r} is not a market: known are {', '.join(sorted(known))}")
    return name


MarketName = Annotated[str, AfterValidator(_known_market)]
"""A market as `market_name` calls it."""


def _market_filters() -> dict[str, MarketFilter]:
    return {
        Market.SPOT.value: MarketFilter(),
        Market.UM.value: MarketFilter(),
        Market.CM.value: MarketFilter(symbols=("BTCUSD*",)),
        Market.OPTION.value: MarketFilter(symbols=("*",), intervals=()),
    }


class Settings(BaseSettings):
    """Everything a deployment decides.

    Args:
        lake: The lake's root: a folder, or `s3://bucket/prefix`.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        nested_model_default_partial_update=True,
        # What is refused may be a secret under a misspelt name, and errors are logged with their causes.
        hide_input_in_errors=True,
    )

    lake: str = "lake"
    runner: RunnerKind = RunnerKind.LOCAL
    runners: dict[Step, RunnerKind] = Field(default_factory=dict, description="For single steps, over `runner`")
    sizes: dict[str, StepSize] = Field(default_factory=dict, description="How steps of large orders run")
    docker: DockerSettings = DockerSettings()
    kubernetes: KubernetesSettings = KubernetesSettings()
    ecs: EcsSettings = EcsSettings()
    profile: str = "default"
    work_folder: Path | None = Field(None, description="Scratch space; by default the system's temporary folder")
    archive: ArchiveSettings = ArchiveSettings()
    storage: StorageSettings = StorageSettings()
    catalog: CatalogSettings = CatalogSettings()
    exchange: ExchangeSettings = ExchangeSettings()
    conform: ConformSettings = ConformSettings()
    markets: dict[MarketName, MarketFilter] = Field(default_factory=_market_filters)
    profiles: dict[str, TransferProfile] = Field(default_factory=default_profiles)
    start_date: str = "2024-01-01"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Puts the environment over the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, _config_file())

    def market_filter(self, row: Dataset) -> MarketFilter:
        """Returns what scheduled runs of a dataset hold: as configured or by default, else its sample symbol alone."""
        name = market_name(row.exchange, row.market)
        # A file that names one market leaves all others as they are.
        default = _market_filters().get(name) or MarketFilter(symbols=(row.sample_symbol,))
        return self.markets.get(name, default)

    def runner_of(self, step: Step) -> RunnerKind:
        """Returns what runs a step."""
        return self.runners.get(step, self.runner)

    def for_order(self, size: int) -> "Settings":
        """Returns the settings of steps whose order is about so many bytes: larger sizes win over smaller ones."""
        settings = self
        for one in sorted(self.sizes.values(), key=lambda one: one.from_mib):
            if size >= one.from_mib * 2**20:
                settings = settings.model_copy(update=settings._sized(one))
        return settings

    def _sized(self, size: StepSize) -> dict[str, object]:
        """Returns what a size changes."""
        docker, kubernetes = self.docker, self.kubernetes
        selector = {**kubernetes.node_selector, **size.node_selector}
        return {
            "runner": size.runner or self.runner,
            "runners": {**({} if size.runner else self.runners), **size.runners},
            "docker": docker.model_copy(update={"limits": {**docker.limits, **size.limits}}),
            "kubernetes": kubernetes.model_copy(update={"node_selector": selector}),
        }

    def transfer_profile(self, name: str = "") -> TransferProfile:
        """Returns the named profile, or the deployment's own.

        Raises:
            InvalidRequest: There is none of that name.
        """
        chosen = name or self.profile
        if chosen not in self.profiles:
            raise InvalidRequest(f"no profile is called {chosen!r}", f"Known: {', '.join(self.profiles)}")
        return self.profiles[chosen]


def _config_file() -> Path:
    named = os.environ.get(f"{PREFIX}CONFIG")
    # The file of the project may be left out of an image; one that was named must be there.
    if named is not None and not Path(named).is_file():
        raise InvalidRequest(f"the configuration {named} is not there", f"Unset {PREFIX}CONFIG or name a file")
    return Path(named) if named is not None else DEFAULT_CONFIG


@lru_cache(maxsize=1)
def load_settings() -> Settings:
    """Returns the deployment's settings, read and validated once per process.

    Raises:
        InvalidRequest: The file is missing or no TOML, a key is unknown or a value unacceptable.
    """
    unknown = _unknown_variables()
    if unknown:
        raise InvalidRequest(f"unknown environment variables: {', '.join(unknown)}", "See docs/configuration.md")
    try:
        return Settings()
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise InvalidRequest(f"the configuration is not valid: {faults}", f"Read from {_config_file()}") from None
    except SettingsError as error:
        raise InvalidRequest(f"the configuration is not valid: {error}", "That variable takes JSON") from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidRequest(f"the configuration {_config_file()} is not TOML: {error}", "Mend the file") from error


def _unknown_variables() -> list[str]:
    names = {PREFIX + name.upper() for name in Settings.model_fields} | {f"{PREFIX}CONFIG"}
    return sorted(
        variable for variable in os.environ if variable.startswith(PREFIX) and variable.split("__")[0] not in names
    )
