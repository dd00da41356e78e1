"""A connection of ours to the test run's API server, which knows widgets."""

from collections.abc import AsyncIterator

import pytest
from tests.cluster import Cluster
from tests.integration.kube import widgets

from orch.kube.client import Kube, connect
from orch.kube.store import Store


@pytest.fixture(scope="session")
def widget_kind(control_plane: Cluster) -> None:
    """The Widget CRD is established."""
    widgets.install(control_plane.kubectl)


@pytest.fixture
async def kube(control_plane: Cluster, widget_kind: None) -> AsyncIterator[Kube]:
    async with await connect(control_plane.kubeconfig) as connection:
        yield connection


@pytest.fixture
def store(kube: Kube) -> Store[widgets.Widget]:
    return Store(kube, widgets.Widget)
