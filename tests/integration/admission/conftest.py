"""An office for each module: the policies as users install them, on the shared API server."""

from collections.abc import Iterator

import pytest
from tests.cluster import Cluster
from tests.integration.admission.office import Office


@pytest.fixture(scope="module")
def office(control_plane: Cluster) -> Iterator[Office]:
    opened = Office(control_plane)
    try:
        opened.open()
        yield opened
    finally:
        opened.close()
