"""A court: one question on the real API server, and the reconciler that settles it. And what the scenes of whole runs share."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from kubernetes.aio.client import ApiClient
from tests.builders import BEGAN
from tests.cluster import Cluster, rights
from tests.integration.admission.office import RBAC, Office, opened
from tests.integration.approvals.court import Court
from tests.integration.approvals.host import GitHub, serving
from tests.integration.approvals.model import Model
from tests.integration.approvals.process import Outside, mortal
from tests.integration.approvals.scene import OPERATOR, PEOPLE, Joined

from orch.adapters.git import MirrorGit
from orch.kube.client import connect


@pytest.fixture
async def court(control_plane: Cluster, namespace: str) -> AsyncIterator[Court]:
    async with await connect(control_plane.kubeconfig) as kube:
        yield Court(kube, control_plane.server, namespace, BEGAN)


@pytest.fixture(scope="session")
def office(control_plane: Cluster) -> Iterator[Office]:
    """The admission policies, as users install them; people who may patch, and a role for those who may approve."""
    with opened(control_plane) as office:
        for user in PEOPLE:
            subject = {"apiGroup": RBAC, "kind": "User", "name": user}
            office.apply(
                *rights(f"{user}-patches", office.team, subject, "get,patch,delete:approvals", "get,patch:issueruns")
            )
        nobody = {"apiGroup": RBAC, "kind": "User", "name": "nobody"}
        office.apply(*rights("approves", office.team, nobody, "approve:approvals"))
        yield office


@pytest.fixture(scope="session")
def github(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHub]:
    """One for all scenes: what the cluster says of repositories goes by their ids, which another one would give anew."""
    with serving(tmp_path_factory.mktemp("github")) as github:
        yield github


@pytest.fixture
def joined(office: Office, github: GitHub, tmp_path: Path) -> Iterator[Joined]:
    """What all scenes of a test share beside the code host: everybody's connections, the mirrors, the model."""
    loop = asyncio.new_event_loop()
    account = yaml.safe_load(office.cluster.kubeconfig.read_text())
    token = office.cluster.server.make_token("orch", office.home)
    account["users"] = [{"name": entry["name"], "user": {"token": token}} for entry in account["users"]]
    kubeconfig = tmp_path / "operator.kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(account))

    async def join() -> Joined:
        kube, admin = await connect(kubeconfig), await connect(office.cluster.kubeconfig)
        clients = {user: await _person(office.cluster, user, groups) for user, groups in PEOPLE.items()}
        clients[OPERATOR] = await replace(office.cluster, kubeconfig=kubeconfig).connect()
        outside = Outside(
            kube, github, MirrorGit(tmp_path / "mirror"), Model(tmp_path), office.team, office.home, office.mark
        )
        return Joined(outside, admin, clients, office, loop)

    async def part(joined: Joined) -> None:
        await joined.outside.git.close()
        for client in (joined.outside.kube, joined.admin, *joined.clients.values()):
            await client.close()

    with mortal():
        everybody = loop.run_until_complete(join())
        yield everybody
        loop.run_until_complete(part(everybody))
    loop.close()


async def _person(cluster: Cluster, user: str, groups: tuple[str, ...]) -> ApiClient:
    return await cluster.connect(as_user=user, as_group=groups[0] if groups else None)
