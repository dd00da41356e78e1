"""Fixtures of a real API server, one for the whole test run and a namespace for each test.

Imported by the conftest.py of each folder whose tests need a server. The first worker to ask starts it, it ends with
the last one, however that ends (`hack.keeper`). Jobs make Pods there, and nothing runs them.
"""

import secrets
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from hack import binaries, keeper
from hack.locks import exclusive
from hack.world.server import Server
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient

CRDS = Path(__file__).resolve().parents[1] / "crds"
RBAC = "rbac.authorization.k8s.io"
_KUBECTL_TIMEOUT = 120.0
"""Seconds; long, since nothing but a hang may hit it."""


@dataclass(frozen=True)
class Kubectl:
    """The real kubectl as an administrator, or as whom `as_user` and `as_groups` name (RBAC then applies)."""

    program: Path
    kubeconfig: Path

    def __call__(
        self,
        *arguments: str,
        stdin: str | None = None,
        as_user: str | None = None,
        as_groups: Sequence[str] = (),
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end; `check` fails the test on an exit status other than 0, with what kubectl said."""
        person = [f"--as={as_user}"] if as_user else []
        done = subprocess.run(
            [
                self.program,
                f"--kubeconfig={self.kubeconfig}",
                *person,
                *(f"--as-group={group}" for group in as_groups),
                *arguments,
            ],
            input=stdin or "",
            capture_output=True,
            text=True,
            timeout=_KUBECTL_TIMEOUT,
            check=False,
        )
        if check and done.returncode != 0:
            pytest.fail(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}", pytrace=True)
        return done


@dataclass(frozen=True)
class Cluster:
    """A running API server that knows our resources."""

    kubeconfig: Path
    kubectl: Kubectl
    programs: binaries.Programs

    @cached_property
    def server(self) -> Server:
        """For what kubectl is not the point of."""
        return Server(self.kubeconfig)

    def make_namespace(self, prefix: str) -> str:
        """A fresh one. It goes with the server: to delete one costs the server more than most tests."""
        name = f"{prefix}-{secrets.token_hex(5)}"
        self.server.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return name

    async def connect(self, *, as_user: str | None = None, as_group: str | None = None) -> ApiClient:
        """A client to be closed by its user; as an administrator, or as another person, for whom RBAC applies."""
        made: ApiClient = await config.new_client_from_config(config_file=str(self.kubeconfig))
        if as_user:
            made.set_default_header("Impersonate-User", as_user)
        if as_group:
            made.set_default_header("Impersonate-Group", as_group)
        return made


def rights(name: str, namespace: str, subject: dict[str, str], *rules: str, only: str = "") -> list[dict[str, Any]]:
    """A Role and its RoleBinding. A rule is `verb,verb:resource,resource` of the group `orch.dev`; `only`: on one object alone."""
    head = {"apiVersion": f"{RBAC}/v1", "metadata": {"name": name, "namespace": namespace}}
    named = {"resourceNames": [only]} if only else {}
    parts = [rule.split(":") for rule in rules]
    given = [
        {"apiGroups": ["orch.dev"], "verbs": verbs.split(","), "resources": resources.split(","), **named}
        for verbs, resources in parts
    ]
    role = {"apiGroup": RBAC, "kind": "Role", "name": name}
    return [
        {**head, "kind": "Role", "rules": given},
        {**head, "kind": "RoleBinding", "roleRef": role, "subjects": [subject]},
    ]


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory, worker_id: str, testrun_uid: str) -> Iterator[Cluster]:
    """The server of this test run, with the resources of crds/ established.

    Its folder is named for the run: the temporary folder of the one before may have had the same name, and its server may still
    be ending."""
    programs = binaries.find(print)
    if programs is None:
        pytest.fail("no control plane: run `make setup` first", pytrace=False)
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    with keeper.hold(shared / f"controlplane-{testrun_uid}") as place:
        kubectl = Kubectl(programs["kubectl"], place.kubeconfig)
        with exclusive(shared / "crds.lock"):
            _apply_crds(kubectl, done=place.servers / "crds-applied")
        cluster = Cluster(place.kubeconfig, kubectl, programs)
        yield cluster
        cluster.server.close()


def _apply_crds(kubectl: Kubectl, *, done: Path) -> None:
    if done.exists():
        return
    if list(CRDS.glob("*.yaml")):
        kubectl("apply", "--server-side", "-f", str(CRDS))
        kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", str(CRDS))
        _wait_for_storage(kubectl)
    done.touch()


def _wait_for_storage(kubectl: Kubectl) -> None:
    """An established kind is not served yet: for a moment the server answers 429, "storage is (re)initializing"."""
    kinds = ",".join(path.stem for path in sorted(CRDS.glob("*.yaml")))
    deadline = time.monotonic() + 60
    while kubectl("get", kinds, "--all-namespaces", check=False).returncode != 0:
        if time.monotonic() > deadline:
            pytest.fail(f"the server does not serve {kinds}", pytrace=False)
        time.sleep(0.2)


@pytest.fixture
def kubeconfig(control_plane: Cluster) -> Path:
    """The administrator's kubeconfig."""
    return control_plane.kubeconfig


@pytest.fixture
def kubectl(control_plane: Cluster) -> Kubectl:
    """Call it as `kubectl("get", "pods", "-n", namespace)`."""
    return control_plane.kubectl


@pytest.fixture
def namespace(control_plane: Cluster) -> str:
    """The name of a fresh namespace."""
    return control_plane.make_namespace("test")


@pytest.fixture
async def api(control_plane: Cluster) -> AsyncIterator[ApiClient]:
    """An administrator's client."""
    async with await control_plane.connect() as made:
        yield made


@pytest.fixture
async def impersonate(control_plane: Cluster) -> AsyncIterator[Callable[..., object]]:
    """`await impersonate("alice", group="team")`: a client that acts as this person; RBAC applies to it."""
    async with AsyncExitStack() as clients:

        async def connect(user: str, *, group: str | None = None) -> ApiClient:
            return await clients.enter_async_context(await control_plane.connect(as_user=user, as_group=group))

        yield connect
