"""A court: one question on the real API server, and the reconciler that settles it."""

from collections.abc import AsyncIterator

import pytest
from tests.builders import BEGAN
from tests.cluster import Cluster
from tests.integration.approvals.court import Court

from orch.kube.client import connect


@pytest.fixture
async def court(control_plane: Cluster, namespace: str) -> AsyncIterator[Court]:
    async with await connect(control_plane.kubeconfig) as kube:
        yield Court(kube, control_plane.server, namespace, BEGAN)
