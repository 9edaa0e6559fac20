"""Settings of requests to the APIs of the exchanges."""

from pydantic import Field, SecretStr, field_validator

from crypto_lakehouse.settings.files import HomePath
from crypto_lakehouse.settings.part import SettingsPart


class ExchangeSettings(SettingsPart):
    """Addresses of the exchanges and limits of our requests. Public data needs no key."""

    enabled: bool = True
    spot_url: str = Field("https://data-api.binance.vision", description="The host of public spot data")
    um_url: str = "https://fapi.binance.com"
    cm_url: str = "https://dapi.binance.com"
    coinbase_url: str = "https://api.exchange.coinbase.com"
    kraken_url: str = "https://api.kraken.com"
    budget_share: float = Field(
        0.5, gt=0, le=1, description="Share of the exchange's rate limits that all our tasks use together"
    )
    limits_file: HomePath | None = Field(
        None, description="File that counts the used limits; by default in the temporary folder"
    )
    timeout_seconds: float = Field(15.0, gt=0, description="Longest pause within an answer")
    answer_seconds: float = Field(60.0, gt=0, description="Longest time of the headers, and of the body, of an answer")
    max_answer_mib: int = Field(64, ge=1, description="Size of an answer once it is inflated")
    workers: int = Field(4, ge=1, le=16, description="Requests that one step sends at the same time")
    attempts: int = Field(4, ge=1, le=10, description="Attempts of one request")
    max_wait_seconds: float = Field(150.0, ge=0, description="Longest wait for the rate limit in one step")
    api_key: SecretStr | None = Field(None, description="Only futures trades need a key; it needs no permissions")

    @field_validator("spot_url", "um_url", "cm_url", "coinbase_url", "kraken_url")
    @classmethod
    def _is_a_real_market(cls, url: str) -> str:
        # Its data is separate and looks real.
        if "testnet" in url or "sandbox" in url:
            raise ValueError("is a test network's: its data is not the market's")
        return url.rstrip("/")
