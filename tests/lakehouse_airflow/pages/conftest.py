"""Airflow's own login around the pages: its tokens, its database, and users with different rights."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.run_files import KLINES, TRADES

Browser = Callable[[str | None], Any]


@pytest.fixture(scope="session")
def logged_in() -> Iterator[Browser]:
    """A client of an API server that mounts the pages, by the role of the user; None is a client without a login."""
    from airflow import settings
    from airflow.api_fastapi import app as airflow_app
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from airflow.models import import_all_models
    from airflow.models.base import Base
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session
    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    from lakehouse_airflow import pages

    class OneDag(SimpleAuthManager):
        """Airflow's login, with a user who may read the runs of one DAG."""

        def is_authorized_dag(self, *, user: Any, details: Any = None, **others: Any) -> bool:
            may_read = user.username != "one_dag" or (details is not None and details.id in {None, KLINES})
            return may_read and super().is_authorized_dag(user=user, details=details, **others)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(
            "AIRFLOW__API_AUTH__JWT_SECRET", "a secret of sixty-four characters, long enough for its purpose!!"
        )
        import_all_models()
        Base.metadata.create_all(settings.engine)
        with create_session() as session:
            session.add(DagBundleModel(name="tests"))
            session.flush()
            session.add_all(DagModel(dag_id=name, bundle_name="tests") for name in (KLINES, TRADES, "gaps"))
        manager = OneDag()
        patch.setattr(airflow_app._AuthManagerState, "instance", manager)
        server = FastAPI()
        server.mount(pages.PREFIX, pages.application)

        def browser(user: str | None) -> TestClient:
            client = TestClient(server, follow_redirects=False, headers={"accept": "text/html"})
            if user is not None:
                role = {"viewer": "VIEWER", "one_dag": "VIEWER"}.get(user)
                token = manager.generate_jwt(SimpleAuthManagerUser(username=user, role=role))
                client.cookies.set("_token", token)
            return client

        yield browser
