"""The server that integration tests run against is what they take it for."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import yaml
from hack.versions import find_version
from kubernetes.aio import client
from tests.cluster import CRDS, Cluster, Kubectl

_JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: step}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: example.invalid/none}]
"""


def test_all_of_our_resources_are_served(kubectl: Kubectl) -> None:
    ours = [yaml.safe_load(path.read_text())["metadata"]["name"] for path in CRDS.glob("*.yaml")]
    served = kubectl("api-resources", "--api-group=orch.dev", "-o", "name").stdout.split()
    assert ours
    assert set(ours) <= set(served)  # other tests bring kinds of their own to this server


async def test_a_namespace_is_there_for_clients(api: client.ApiClient, namespace: str) -> None:
    found = await client.CoreV1Api(api).read_namespace(namespace)
    assert found.status.phase == "Active"


async def test_rbac_applies_to_an_impersonated_person(
    impersonate: Callable[[str], Awaitable[client.ApiClient]], namespace: str
) -> None:
    stranger = client.CoreV1Api(await impersonate("stranger"))
    with pytest.raises(client.ApiException) as refused:
        await stranger.list_namespaced_secret(namespace)
    assert refused.value.status == 403


def test_rbac_applies_to_kubectl_as_a_person(kubectl: Kubectl, namespace: str) -> None:
    refused = kubectl("get", "secrets", "-n", namespace, as_user="stranger", as_groups=("team",), check=False)
    assert 'User "stranger" cannot list resource "secrets"' in refused.stderr


def test_service_accounts_get_tokens_for_an_audience(kubectl: Kubectl, namespace: str) -> None:
    kubectl("create", "serviceaccount", "worker", "-n", namespace)
    token = kubectl("create", "token", "worker", "-n", namespace, "--audience=orch-gateway").stdout.strip()
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}
    review |= {"spec": {"token": token, "audiences": ["orch-gateway"]}}
    said = json.loads(kubectl("create", "-o", "json", "-f", "-", stdin=json.dumps(review)).stdout)
    assert said["status"]["user"]["username"] == f"system:serviceaccount:{namespace}:worker"


def test_a_job_makes_a_pod_and_takes_it_along(kubectl: Kubectl, namespace: str) -> None:
    kubectl("apply", "-n", namespace, "-f", "-", stdin=_JOB)
    kubectl("wait", "-n", namespace, "--for=create", "pod", "-l", "job-name=step", "--timeout=60s")
    kubectl("delete", "-n", namespace, "job", "step", "--cascade=foreground", "--timeout=60s")
    assert kubectl("get", "pods", "-n", namespace, "-o", "name").stdout == ""


def test_a_kind_that_rests_gets_bookmarks(control_plane: Cluster, kubectl: Kubectl, namespace: str) -> None:
    """By them a watch is known to live. The server sends one only if its version is newer than the watch: something else was
    written, as in every cluster, and the store has told the kind's cache."""
    if (etcd := find_version(control_plane.programs["etcd"])) is None or etcd < (3, 6):
        pytest.skip("etcd before 3.6 has another name for how often it tells")
    path = f"/apis/orch.dev/v1alpha1/namespaces/{namespace}/rollbackpoints"
    version = json.loads(kubectl("get", "--raw", path).stdout)["metadata"]["resourceVersion"]
    kubectl("create", "configmap", "something-else", "-n", namespace)
    query = f"watch=true&allowWatchBookmarks=true&resourceVersion={version}&timeoutSeconds=14"  # it comes 2 s before the end
    seen = [json.loads(line)["type"] for line in kubectl("get", "--raw", f"{path}?{query}").stdout.splitlines()]
    assert set(seen) == {"BOOKMARK"}


def test_the_kubeconfig_is_its_owners_alone(kubeconfig: Path) -> None:
    assert kubeconfig.stat().st_mode & 0o077 == 0
