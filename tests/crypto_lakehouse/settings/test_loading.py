"""A deployment's configuration is read once, checked whole, and keeps its secrets."""

import traceback
from collections.abc import Callable

import pytest
from pydantic import ValidationError

from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.settings import PREFIX, Settings, StorageSettings

CANARY = "canary-9b2e"


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
