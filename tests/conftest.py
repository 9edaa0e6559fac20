"""Fixtures every test may use."""

import os
import shutil
import tempfile
from pathlib import Path

import hypothesis
import pytest

from crypto_lakehouse.settings import load_settings
from tests.demo_lake import demo_folder
from tests.skips import pytest_make_collect_report, pytest_runtest_makereport

__all__ = ["pytest_make_collect_report", "pytest_runtest_makereport"]

# How long an example takes says how busy the machine is, not whether the code is right.
hypothesis.settings.register_profile("ours", deadline=None)
hypothesis.settings.load_profile("ours")

# Only tests of deltas ask an exchange, a local one; all others must not try to reach the real one.
os.environ.setdefault("CRYPTO_LAKEHOUSE_EXCHANGE__ENABLED", "false")

# A home of Airflow's own, in which nothing of the machine's configuration is; it reads this when first imported, and
# so does the client of Kubernetes.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow-test-")
os.environ["KUBECONFIG"] = str(Path(os.environ["AIRFLOW_HOME"]) / "kubeconfig")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"

REAL = Path(__file__).parents[2] / "shared" / "real"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts what takes minutes first, so that the other worker has all else to do meanwhile."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_unconfigure() -> None:
    """Leaves nothing behind."""
    shutil.rmtree(os.environ["AIRFLOW_HOME"], ignore_errors=True)


@pytest.fixture(autouse=True)
def _settings_of_the_test() -> None:
    """Lets each test read its own settings: a process keeps what it read first, and many tests share a process."""
    load_settings.cache_clear()


@pytest.fixture(scope="session")
def real_archive() -> Path:
    """The folder laid out as the bucket is, with files that the exchange itself published."""
    if not (REAL / "archive" / "data").is_dir():
        pytest.skip("../shared/real is not here: the real archive files come with the workplace, not with the project")
    return REAL / "archive"


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like a checkout after `make demo`; see `tests.demo_lake`. No test may change it."""
    return demo_folder(tmp_path_factory)
