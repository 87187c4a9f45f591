from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.engine_help import Site
from tests.engine.postgres import Postgres, binaries


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for the tests of this folder."""
    found = binaries()
    if found is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with Postgres(found) as server:
        yield server


@pytest.fixture
def site(postgres: Postgres, tmp_path: Path) -> Iterator[Site]:
    """A workspace; whatever process a test leaves behind is killed."""
    made = Site(tmp_path, postgres.url, [])
    yield made
    for process in made.started:
        process.kill()
        process.wait(30)
