"""Listing, pull and delta go through the proxy that the environment names; the lake's own store does not."""

import datetime as dt
import os
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from crypto_lakehouse.archive import bucket as bucket_module
from crypto_lakehouse.archive.bucket import Bucket
from crypto_lakehouse.archive.planning import plan_pull
from crypto_lakehouse.archive.pulling import pull
from crypto_lakehouse.catalog.glue import GlueCatalog
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.errors import ArchiveFileMissing, InvalidRequest, LakehouseError, SourceUnavailable
from crypto_lakehouse.exchange.client import ExchangeClient, open_limiter
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.s3 import S3Storage
from crypto_lakehouse.lake.selection import Selection
from crypto_lakehouse.proxies import proxy_for, with_proxy
from crypto_lakehouse.query.scans import scan_files
from crypto_lakehouse.settings import CatalogSettings, Settings, StorageSettings
from crypto_lakehouse.vocabulary import Market
from tests.crypto_lakehouse.archive.objects import QUICK, put_object, settings_for, transfer_for
from tests.fakes.bucket import FakeBucket, serving
from tests.fakes.proxy import FakeProxy, proxying
from tests.fakes.venue import funding, venue
from tests.rest_lake import VirtualTime, exchange_settings

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
NAME, DAY = "binance_um_klines", dt.date(2024, 1, 2)
HOST = "elsewhere.invalid"
PASSWORD = "canary-7f%403a"
SPELLINGS = ("canary-7f", "bWU6Y2FuYXJ5")
Use = Callable[..., None]


@pytest.fixture(autouse=True)
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Sets the proxy of the environment, which has none at first."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(bucket_module, "_pause", lambda _attempt: None)

    def set_proxy(proxy: str, no_proxy: str = "") -> None:
        for name in ("HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy)
        monkeypatch.setenv("NO_PROXY", no_proxy)

    return set_proxy


@pytest.fixture
def bucket() -> Iterator[FakeBucket]:
    with serving(FakeBucket()) as served:
        put_object(served, NAME, DAY)
        yield served


@pytest.fixture
def tls_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeBucket]:
    """A bucket behind TLS, whose certificate for the made-up host is trusted."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", str(key), "-out", str(certificate), "-days", "1"),
            *("-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"),
        ],
        check=True,
        capture_output=True,
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serving(FakeBucket(), tls=context) as served:
        put_object(served, NAME, DAY)
        yield served


def at(settings: Settings, url: str) -> Settings:
    return settings.model_copy(update={"archive": settings.archive.model_copy(update={"endpoint_url": url})})


def listed_and_pulled(settings: Settings) -> int:
    bronze = BronzeLog(LocalStorage(Path(settings.lake)))
    selection = Selection.parse(NAME, ("2024-01-01", "2024-01-31"), symbols=["BTCUSDT"], intervals=["1m"])
    return len(pull(plan_pull(selection, settings, bronze, QUICK).objects, transfer_for(settings)).pulled)


def server_time(url: str, folder: Path) -> dt.datetime:
    settings = exchange_settings(url, folder, attempts=1)
    time = VirtualTime(1_735_905_600.0)
    limiter = open_limiter(settings, Market.UM)
    limiter.clock, limiter.sleep = time, time.sleep
    return ExchangeClient(settings, Market.UM, limiter, time, time.sleep).server_time()


def with_secret(proxy: FakeProxy) -> str:
    return proxy.url.replace("http://", f"http://me:{PASSWORD}@")


def test_listing_and_pull_go_through_the_proxy(bucket: FakeBucket, tmp_path: Path, use: Use) -> None:
    with proxying(bucket.endpoint) as proxy:
        use(with_secret(proxy))
        # Only the proxy knows where this host is.
        assert listed_and_pulled(at(settings_for(bucket, tmp_path), f"http://{HOST}")) == 1
    assert proxy.hosts == {HOST}
    assert len(proxy.asked) == len(bucket.requests) >= 3
    assert set(proxy.credentials) == {"Basic bWU6Y2FuYXJ5LTdmQDNh"}


def test_a_control_without_the_variable_the_host_is_not_found(bucket: FakeBucket, tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="NameResolutionError"):
        listed_and_pulled(at(settings_for(bucket, tmp_path), f"http://{HOST}"))
    with pytest.raises(SourceUnavailable, match="cannot be resolved"):
        server_time(f"http://{HOST}", tmp_path)


def test_delta_goes_through_the_proxy(tmp_path: Path, use: Use) -> None:
    with venue(funding([], 0)) as url, proxying(url) as proxy:
        use(with_secret(proxy))
        assert server_time(f"http://{HOST}", tmp_path).year >= 2026
    assert proxy.asked == [("GET", HOST)]
    assert set(proxy.credentials) == {"Basic bWU6Y2FuYXJ5LTdmQDNh"}


def test_hosts_of_no_proxy_and_this_machine_are_reached_directly(bucket: FakeBucket, tmp_path: Path, use: Use) -> None:
    with venue(funding([], 0)) as url, proxying(url) as proxy:
        use(proxy.url)
        assert listed_and_pulled(settings_for(bucket, tmp_path)) == 1
        server_time(url, tmp_path)
        use(proxy.url, no_proxy="invalid")
        with pytest.raises(SourceUnavailable):
            server_time(f"http://{HOST}", tmp_path)
    assert proxy.asked == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_refuses_is_named_and_its_password_is_not(
    scheme: str, bucket: FakeBucket, tmp_path: Path, use: Use, capfd: pytest.CaptureFixture[str]
) -> None:
    settings, errors = settings_for(bucket, tmp_path), list[LakehouseError]()
    plan = plan_pull(
        Selection.parse(NAME, ("2024-01-01", "2024-01-31"), symbols=["BTCUSDT"], intervals=["1m"]),
        settings,
        BronzeLog(LocalStorage(Path(settings.lake))),
        QUICK,
    )
    elsewhere = at(settings, f"{scheme}://{HOST}")
    with proxying() as proxy:
        use(with_secret(proxy))
        for action in (
            lambda: list(Bucket(elsewhere.archive, QUICK).pages("data/")),
            lambda: pull(plan.objects, transfer_for(elsewhere)),
            lambda: server_time(f"{scheme}://{HOST}", tmp_path),
        ):
            with pytest.raises(SourceUnavailable) as caught:
                action()
            errors.append(caught.value)
        assert {host.removesuffix(":443") for host in proxy.hosts} == {HOST}
        assert {method for method, _ in proxy.asked} == ({"CONNECT"} if scheme == "https" else {"GET", "HEAD"})
    assert "proxy" in errors[0].advice
    assert "407" in str(errors[2]) or "the proxy did not let the request through" in str(errors[2])
    out, err = capfd.readouterr()
    files = [path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()]
    for text in (out, err, *files, *map(str, errors), *map(repr, errors)):
        assert not any(spelling in text for spelling in SPELLINGS)


def test_https_goes_through_a_tunnel(tls_bucket: FakeBucket, tmp_path: Path, use: Use) -> None:
    with proxying(tls_bucket.endpoint) as proxy:
        use(proxy.url)
        assert listed_and_pulled(at(settings_for(tls_bucket, tmp_path), f"https://{HOST}")) == 1
    assert set(proxy.asked) == {("CONNECT", f"{HOST}:443")}


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_store_does_not_use_the_proxy_unless_told(host: str, told: bool, bucket: FakeBucket, use: Use) -> None:
    keys = {"access_key_id": SecretStr("a"), "secret_access_key": SecretStr("b")}
    storage = StorageSettings(endpoint_url=bucket.endpoint.replace("127.0.0.1", host), use_proxy=told, **keys)
    with proxying(bucket.endpoint) as proxy:
        use(proxy.url)
        with pytest.raises(ArchiveFileMissing):
            S3Storage("b", "", storage).read("k")
        assert bool(proxy.asked) is told
        proxy.asked.clear()
        with pytest.raises(OSError, match="404"):
            scan_files([], ["s3://b/version=1/data.parquet"], storage).collect()
        assert bool(proxy.asked) is told
    assert len(bucket.requests) >= 2


@pytest.mark.parametrize("told", [False, True])
def test_the_catalog_does_not_use_the_proxy_unless_told(told: bool, use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with proxying() as proxy, serving(FakeBucket()) as glue:
        use(proxy.url)
        # Neither the proxy nor the bucket answers as Glue does.
        with pytest.raises(SourceUnavailable):
            GlueCatalog(CatalogSettings(use_proxy=told, glue_endpoint_url=glue.endpoint), "s3://b").ensure_table(
                dataset(NAME)
            )
    assert bool(proxy.asked) is told


@pytest.mark.parametrize(
    ("no_proxy", "url", "is_direct"),
    [
        ("", "https://a.example.org", False),
        ("*", "https://a.example.org", True),
        ("example.org", "https://a.example.org", True),
        (" .EXAMPLE.org ,x", "https://A.example.org", True),
        ("*.example.org", "https://a.example.org", True),
        ("ample.org", "https://a.example.org", False),
        ("example.org:443", "https://a.example.org", True),
        ("example.org:8443", "https://a.example.org", False),
        ("10.0.0.0/8", "https://10.1.2.3", True),
        ("10.0.0.0/8", "https://11.1.2.3", False),
        ("2001:db8::/32", "https://[2001:db8::1]", True),
        ("", "https://localhost:1", True),
        ("", "https://127.0.0.1:1", True),
        ("", "https://[::1]:1", True),
        ("", "http://a.example.org", True),
    ],
)
def test_which_hosts_are_reached_directly(
    no_proxy: str, url: str, is_direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "proxy:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert proxy_for(url) == (None if is_direct else "http://proxy:3128")


@pytest.mark.parametrize("value", ["socks5://me:canary-word@p:1", "http://", "http://me:canary-word@p:x", "ftp://p"])
def test_what_is_no_http_proxy_is_refused_without_its_value(value: str, use: Use) -> None:
    use(value)
    with pytest.raises(InvalidRequest, match="HTTPS_PROXY has no address of an HTTP proxy") as caught:
        proxy_for("https://a.example.org")
    assert "canary" not in str(caught.value)


def test_a_program_gets_the_proxy_of_its_url_and_no_other() -> None:
    given = {"http_proxy": "http://p:1", "HTTPS_PROXY": "http://p:2", "all_proxy": "socks5://p:3", "HOME": "/h"}
    assert with_proxy(given, "https://a.example.org") == {"HOME": "/h"}
