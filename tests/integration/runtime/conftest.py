"""A connection of ours to the test run's API server, which knows widgets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.cluster import Cluster
from tests.integration.kube import widgets
from tests.integration.kube.widgets import Widget

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
def store(kube: Kube) -> Store[Widget]:
    return Store(kube, Widget)
