"""The pages behind Airflow's login: who sees them, and that they come from any storage."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.s3 import S3Storage
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.reports.quality_report import DatasetSection
from crypto_lakehouse.runs.results import Status
from crypto_lakehouse.settings import load_settings
from tests.lakehouse_airflow.pages.conftest import Browser
from tests.published_lake import in_bucket
from tests.run_files import DOCS, KLINES, REFUSED, TRADES, RunFiles

pytestmark = pytest.mark.filterwarnings("ignore")

RUN_ID = "manual__2025-01-01T00:00:00+00:00"
INDEX = "/lakehouse/reports/"
TABLE = f"{INDEX}{KLINES}/"
RUN = f"{TABLE}{quote(RUN_ID, safe='')}"
REPORT = f"{RUN}/report.html"
DATA_DOC = f"{RUN}/{DOCS}/index.html"
PAGES = (INDEX, TABLE, RUN, REPORT, DATA_DOC)


def fill(storage: Storage) -> None:
    """Writes the runs that the tests ask for."""
    files = RunFiles(storage)
    files.reported(RUN_ID, REFUSED)
    files.planned("idle", Status.NOTHING_TO_DO, still_refused=3)
    files.planned("blocked", Status.FAILED)
    files.ordered("new")
    RunFiles(storage, TRADES).reported(RUN_ID)


def opened(patch: pytest.MonkeyPatch, lake: str, **settings: str) -> None:
    """Lets the pages read a lake, as the environment of an API server does."""
    from lakehouse_airflow.pages import reading

    patch.setenv("CRYPTO_LAKEHOUSE_LAKE", lake)
    for name, value in settings.items():
        patch.setenv(f"CRYPTO_LAKEHOUSE_STORAGE__{name.upper()}", value)
    load_settings.cache_clear()
    reading.lake.cache_clear()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("lake")
    fill(LocalStorage(root))
    return root


@pytest.fixture
def lake(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    opened(monkeypatch, str(folder))
    yield folder
    load_settings.cache_clear()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    with in_bucket(tmp_path) as settings:
        fill(S3Storage("bucket", "lake", settings))
        opened(
            monkeypatch,
            "s3://bucket/lake",
            endpoint_url=str(settings.endpoint_url),
            access_key_id="a",
            secret_access_key="b",
        )
        yield "s3://bucket/lake"
    load_settings.cache_clear()


def assert_all_pages(client: Any, uri: str) -> None:
    """Fails unless a client gets the list, the report and the Data Docs."""
    index = client.get(INDEX)
    assert index.status_code == 200
    assert uri in index.text and "1 partition refused" in index.text and "not finished" in index.text
    moved = client.get(RUN)
    assert (moved.status_code, moved.headers["location"]) == (307, f"./{RUN.rpartition('/')[2]}/report.html")
    report = client.get(REPORT)
    assert report.status_code == 200
    assert RUN_ID in report.text and f'href="{DOCS}/index.html"' in report.text and "All reports" in report.text
    docs = client.get(DATA_DOC)
    assert docs.status_code == 200
    assert "Data Docs" in docs.text and 'href="../../report.html"' in docs.text


def test_pages_come_from_a_lake_in_a_folder(lake: Path, logged_in: Browser) -> None:
    assert_all_pages(logged_in("viewer"), str(lake))


def test_pages_come_from_a_lake_in_a_bucket(bucket: str, logged_in: Browser) -> None:
    assert_all_pages(logged_in("viewer"), bucket)


@pytest.mark.parametrize("page", PAGES)
def test_without_a_login_a_browser_is_led_to_it_and_a_program_gets_401(
    page: str, lake: Path, logged_in: Browser
) -> None:
    answer = logged_in(None).get(page)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/api/v2/auth/login?next=%2Flakehouse%2Freports%2F")
    assert logged_in(None).get(page, headers={"accept": "application/json"}).status_code == 401
    forged = logged_in(None)
    forged.cookies.set("_token", "eyJhbGciOiJub25lIn0.e30.")
    assert forged.get(page).status_code == 303
    assert forged.get(page, headers={"accept": "application/json"}).status_code == 403


@pytest.mark.parametrize("page", PAGES[1:])
def test_a_user_without_the_right_to_read_the_dag_gets_403(page: str, lake: Path, logged_in: Browser) -> None:
    assert logged_in("one_dag").get(page).status_code in {200, 307}, "the control: the right is enough"
    refused = logged_in("one_dag").get(page.replace(KLINES, TRADES))
    assert refused.status_code == 403
    assert "may not read the runs of this DAG" in refused.text
    assert logged_in("nobody").get(page).status_code == 403


def test_the_list_has_the_runs_that_the_user_may_read_and_no_other(lake: Path, logged_in: Browser) -> None:
    assert TRADES in logged_in("viewer").get(INDEX).text
    assert TRADES not in logged_in("one_dag").get(INDEX).text
    assert RUN_ID not in logged_in("nobody").get(INDEX).text


@pytest.mark.parametrize("page", [*PAGES, f"{INDEX}gaps/", f"{RUN}/x", "/lakehouse/x", f"{TABLE}no_such_run"])
@pytest.mark.parametrize("user", ["viewer", None])
def test_no_answer_may_run_or_load_anything(page: str, user: str | None, lake: Path, logged_in: Browser) -> None:
    answer = logged_in(user).get(page)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src" not in policy and "http" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "private, no-cache"
    assert "<script" not in answer.text and "https:" not in answer.text


@pytest.mark.parametrize(
    ("run_id", "status", "words"),
    [
        ("idle", 200, "found nothing to do"),
        ("idle", 200, "have not changed since: 3."),
        ("blocked", 200, "plan: SourceUnavailable: the bucket did not answer"),
        ("new", 200, "has no result of plan: it did not finish"),
        ("no_such_run", 404, "The lake has no such run"),
    ],
)
def test_a_run_without_a_report_has_a_page_that_says_what_to_do(
    run_id: str, status: int, words: str, lake: Path, logged_in: Browser
) -> None:
    answer = logged_in("viewer").get(f"{TABLE}{run_id}")
    assert answer.status_code == status
    assert words in answer.text and run_id in answer.text and str(lake) in answer.text
    assert "Traceback" not in answer.text


def test_a_dag_of_no_table_has_no_reports_and_its_page_says_so(lake: Path, logged_in: Browser) -> None:
    answer = logged_in("viewer").get(f"{INDEX}gaps/")
    assert answer.status_code == 404
    assert "This DAG writes no quality report" in answer.text


def test_a_lake_that_does_not_answer_is_a_page_in_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, logged_in: Browser
) -> None:
    (tmp_path / "file").touch()
    opened(monkeypatch, str(tmp_path / "file"))
    for page in PAGES:
        answer = logged_in("viewer").get(page)
        assert answer.status_code == 500
        assert "is a file" in answer.text and "CRYPTO_LAKEHOUSE_LAKE" in answer.text
    load_settings.cache_clear()


def hostile_paths() -> list[str]:
    """Returns addresses below a run that name no page of it: ways out, other files, and names of odd form."""
    ups = ("..", "%2e%2e", "%252e%252e", "..%2f..", "....", "..%5c", "%c0%ae%c0%ae", ".%00.", ".")
    secret = ("secret.html", "report.html", "secret.txt")
    below = ("", f"{DOCS}/", f"{DOCS}/validations/", "transform-000/")
    paths = [
        f"{place}{'/'.join([up] * depth)}/{name}"
        for place in below
        for up in ups
        for depth in (1, 6)
        for name in secret
    ]
    return [
        *paths,
        "report.sha256",
        "report.html/",
        "/report.html",
        "report.html%00",
        "REPORT.HTML",
        "transform-000/facts.parquet",
        "transform-000/validations/results.json",
        f"{DOCS}/index.html%0a",
        f"{DOCS}/index.html/x.html",
        f"{DOCS}/x.js",
        f"{DOCS}/.hidden.html",
        f"{DOCS}//index.html",
        f"{DOCS}/{'a/' * 9}x.html",
        f"{DOCS}/ä.html",
        "%2fetc%2fpasswd",
        "file:%2f%2f%2fetc%2fpasswd",
    ]


@pytest.fixture(scope="module")
def answers_to_hostile_paths(folder: Path, logged_in: Browser) -> dict[str, tuple[int, str]]:
    """What each hostile address is answered with."""
    (folder / "secret.html").write_text("SECRET", encoding="utf-8")
    (folder / "quality" / KLINES / "secret.html").write_text("SECRET", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        opened(patch, str(folder))
        client = logged_in("viewer")
        answers = {path: client.get(f"{RUN}/{path}") for path in hostile_paths()}
    load_settings.cache_clear()
    return {path: (answer.status_code, answer.text) for path, answer in answers.items()}


def test_no_address_leads_out_of_the_pages_of_a_run(answers_to_hostile_paths: dict[str, tuple[int, str]]) -> None:
    assert len(answers_to_hostile_paths) > 200
    # A client removes a plain `..` itself, and then asks for another page: a list, or a run that is not there.
    wrong = {path: status for path, (status, _) in answers_to_hostile_paths.items() if status not in {404, 307, 200}}
    assert wrong == {}
    assert not [path for path, (_, text) in answers_to_hostile_paths.items() if "SECRET" in text or "root:" in text]


@pytest.mark.parametrize(
    "dag_id", ["..", "%2e%2e", "binance_um_klines%2f..", "%00", "nested%2fname", "BINANCE_UM_KLINES"]
)
@pytest.mark.parametrize("run_id", ["..", "%2e%2e", "%2e%2e%2f%2e%2e", "%00", "x" * 3000, "%ff", "%E2%80%AE"])
def test_no_name_of_a_dag_or_run_leads_out_of_the_lake(
    dag_id: str, run_id: str, lake: Path, logged_in: Browser
) -> None:
    client = logged_in("viewer")
    for address in (
        f"{INDEX}{dag_id}/{run_id}",
        f"{INDEX}{dag_id}/{run_id}/report.html",
        f"{TABLE}{run_id}/report.html",
    ):
        answer = client.get(address)
        assert answer.status_code in {200, 404}
        assert "SECRET" not in answer.text


def test_what_a_file_of_the_lake_names_as_a_host_is_not_asked(lake: Path, logged_in: Browser) -> None:
    """A lake of an older version has Data Docs with addresses of other hosts: the policy keeps a browser from them."""
    docs = next(lake.glob(f"quality/{KLINES}/*/{DOCS}"))
    (docs / "old.html").write_text('<body><script src="https://unpkg.com/x.js"></script></body>', encoding="utf-8")
    answer = logged_in("viewer").get(f"{RUN}/{DOCS}/old.html")
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_section_has_its_link_where_the_pages_serve_it() -> None:
    section = DatasetSection(KLINES, 0, 0, 0.0, (), docs=(f"{DOCS}/index.html",))
    assert f"{RUN}/{section.docs[0]}" == DATA_DOC
