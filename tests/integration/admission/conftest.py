"""An office for each module: the policies as users install them, on the shared API server."""

from collections.abc import Iterator

import pytest
from tests.cluster import Cluster
from tests.integration.admission.office import Office, opened


@pytest.fixture(scope="module")
def office(control_plane: Cluster) -> Iterator[Office]:
    with opened(control_plane) as office:
        yield office
