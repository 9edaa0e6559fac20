"""A deployment's configuration is read once, checked whole, and keeps its secrets."""

import os
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.settings import DEFAULT_CONFIG, PREFIX, Settings, StorageSettings, load_settings
from crypto_lakehouse.vocabulary import Interval, Market

CANARY = "canary-9b2e"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No variable of the machine's own, and nothing remembered from or for another test."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    load_settings.cache_clear()
    yield
    load_settings.cache_clear()


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """Writes a configuration file and variables, and loads what they say."""

    def load(text: str = "", **variables: str) -> Settings:
        path = tmp_path / "lakehouse.toml"
        path.write_text(text)
        monkeypatch.setenv(f"{PREFIX}CONFIG", str(path))
        for name, value in variables.items():
            monkeypatch.setenv(f"{PREFIX}{name}", value)
        return load_settings()

    return load


def test_the_file_that_comes_with_the_project_is_valid() -> None:
    assert DEFAULT_CONFIG.is_file()
    assert load_settings().archive.bucket == "data.binance.vision"


def test_the_environment_wins_over_the_file_and_leaves_its_neighbours(configure: Callable[..., Settings]) -> None:
    text = 'lake = "from-file"\n[archive]\nbucket = "from-file"\nregion = "from-file"'
    settings = configure(text, ARCHIVE__BUCKET="from-environment")
    assert (settings.lake, settings.archive.bucket, settings.archive.region) == (
        "from-file",
        "from-environment",
        "from-file",
    )


@pytest.mark.parametrize(
    "text",
    [
        "nonsense = 1",
        "[archive]\nbuckett = 'a'",
        "[markets.spot]\nsymbol = ['BTCUSDT']",
        "[markets.nowhere]\nsymbols = ['BTCUSDT']",
        "[profiles.mine]\nworker = 3",
    ],
)
def test_an_unknown_key_of_the_file_is_refused(configure: Callable[..., Settings], text: str) -> None:
    with pytest.raises(InvalidRequest, match="configuration is not valid"):
        configure(text)


@pytest.mark.parametrize("name", ["LAKEE", "ARCHIVE_BUCKET", "NONSENSE__A"])
def test_an_unknown_variable_is_refused_by_name(configure: Callable[..., Settings], name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"{PREFIX}{name}"):
        configure("", **{name: "x"})


def test_an_unknown_key_below_a_known_variable_is_refused(configure: Callable[..., Settings]) -> None:
    with pytest.raises(InvalidRequest, match="configuration is not valid"):
        configure("", ARCHIVE__BUCKETT="x")


@pytest.mark.parametrize(
    "text",
    [
        "[archive]\nbucket = '../other'",
        "[markets.spot]\nsymbols = ['../BTC']",
        "[markets.spot]\nsymbols = ['BTC;USDT']",
        "[markets.spot]\nsymbols = ['']",
        "[markets.spot]\nintervals = ['7m']",
        "[profiles.default]\nbatch_objects = 101",
        "[profiles.default]\nworkers = 0",
        "[catalog]\nglue_database = 'a b'",
        "[conform]\nmax_ratio = 0.5",
        "runner = 'shell'",
    ],
)
def test_an_unacceptable_value_is_refused(configure: Callable[..., Settings], text: str) -> None:
    with pytest.raises(InvalidRequest, match="configuration is not valid"):
        configure(text)


def test_a_file_that_is_not_toml_is_refused_as_such(configure: Callable[..., Settings]) -> None:
    with pytest.raises(InvalidRequest):
        configure("this is not toml")


def test_a_named_file_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(f"{PREFIX}CONFIG", str(tmp_path / "nowhere.toml"))
    with pytest.raises(InvalidRequest, match=r"nowhere\.toml"):
        load_settings()


def test_secrets_show_in_no_text_of_the_settings(configure: Callable[..., Settings]) -> None:
    settings = configure("", STORAGE__SECRET_ACCESS_KEY=CANARY, STORAGE__ACCESS_KEY_ID=CANARY)
    for text in (repr(settings), str(settings), settings.model_dump_json(), repr(settings.storage), f"{settings}"):
        assert CANARY not in text
    secret = settings.storage.secret_access_key
    assert secret is not None
    assert secret.get_secret_value() == CANARY, "the control: it is there for who asks"


def test_a_secret_does_not_show_in_the_message_about_another_key(configure: Callable[..., Settings]) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        configure("", STORAGE__SECRET_ACCESS_KEY=CANARY, STORAGE__NONSENSE="x")
    assert CANARY not in str(refusal.value)


@pytest.mark.parametrize(
    "variables",
    [{"STORAGE__SECRET_ACESS_KEY": CANARY}, {"STORAGE": CANARY}, {"STORAGE": f'{{"secret_access_key": "{CANARY}"'}],
    ids=["misspelt", "no JSON", "half a JSON"],
)
def test_a_refused_value_shows_in_no_traceback(variables: dict[str, str], configure: Callable[..., Settings]) -> None:
    with pytest.raises(InvalidRequest, match="configuration is not valid") as refusal:
        configure("", **variables)
    assert CANARY not in "".join(traceback.format_exception(refusal.value))


def test_control_the_library_s_own_error_shows_the_value() -> None:
    with pytest.raises(ValidationError) as refusal:
        StorageSettings.model_validate({"secret_acess_key": CANARY})
    assert CANARY in "".join(traceback.format_exception(refusal.value))


def test_settings_do_not_change_once_read(configure: Callable[..., Settings]) -> None:
    settings = configure()
    with pytest.raises(ValidationError):
        settings.lake = "elsewhere"  # type: ignore[misc]


@pytest.mark.parametrize("name", ["default", "high-throughput", "small-memory", "bad-network"])
def test_a_ready_profile_is_there(name: str) -> None:
    assert 1 <= Settings().transfer_profile(name).batch_objects <= 100


def test_an_unknown_profile_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        Settings().transfer_profile("fastest")
    assert "bad-network" in refusal.value.advice


def test_a_file_may_replace_one_markets_filter(configure: Callable[..., Settings]) -> None:
    settings = configure("[markets.um]\nsymbols = ['SOL*']\nintervals = ['1d']")
    assert settings.markets[Market.UM].symbols == ("SOL*",)
    assert settings.markets[Market.UM].intervals == (Interval.D1,)


def test_a_market_of_another_exchange_has_a_filter_of_its_own(configure: Callable[..., Settings]) -> None:
    settings = configure("[markets.kraken_spot]\nsymbols = ['ETHUSD']")
    assert settings.market_filter(dataset("kraken_spot_trades")).symbols == ("ETHUSD",)
    assert settings.market_filter(dataset("coinbase_spot_trades")).symbols == ("BTC-USD",)
    assert settings.market_filter(dataset("binance_um_klines")).symbols == ("BTCUSDT", "ETHUSDT")


@pytest.mark.parametrize("name", ["COINBASE_URL", "SPOT_URL"])
def test_a_test_network_is_refused(configure: Callable[..., Settings], name: str) -> None:
    with pytest.raises(InvalidRequest, match="test network"):
        configure("", **{f"EXCHANGE__{name}": "https://api-public.sandbox.exchange.coinbase.com"})
