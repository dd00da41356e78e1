"""Addresses, owners and patches: the parts of the room that ask nobody."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orch.errors import NeedsHuman
from orch.kube.client import connect
from orch.kube.owners import controller_reference, is_controlled_by
from orch.kube.resource import CONFIGMAPS, LEASES, Resource
from orch.kube.store import merge_patch

RUNS = Resource("orch.dev", "v1alpha1", "issueruns", "IssueRun")

DOCUMENTS = st.recursive(
    st.one_of(st.integers(), st.text(max_size=3), st.booleans(), st.lists(st.integers(), max_size=2)),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (RUNS.path(), "/apis/orch.dev/v1alpha1/issueruns"),
        (RUNS.path("ns", "x", "status"), "/apis/orch.dev/v1alpha1/namespaces/ns/issueruns/x/status"),
        (CONFIGMAPS.path("ns"), "/api/v1/namespaces/ns/configmaps"),
        (LEASES.path("ns", "a/b?c#d"), "/apis/coordination.k8s.io/v1/namespaces/ns/leases/a%2Fb%3Fc%23d"),
    ],
)
def test_a_path_is_what_the_api_server_serves(path: str, expected: str) -> None:
    assert path == expected


@pytest.mark.parametrize("name", [".", ".."])
def test_a_name_is_no_step_in_a_path(name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        RUNS.path("ns", name)


def test_only_the_controller_with_this_uid_owns() -> None:
    document = {"metadata": {"ownerReferences": [controller_reference(RUNS, "run", "u1")]}}
    assert is_controlled_by(document, "u1")
    assert not is_controlled_by(document, "u2"), "the same name, made again"
    document["metadata"]["ownerReferences"][0]["controller"] = False
    assert not is_controlled_by(document, "u1"), "an owner, but not the controller"
    assert not is_controlled_by({"metadata": {}}, "u1")


def apply_patch(document: Any, patch: Any) -> Any:
    """RFC 7396, section 2, word for word."""
    if not isinstance(patch, dict):
        return patch
    result = dict(document) if isinstance(document, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = apply_patch(result.get(name), value)
    return result


@given(
    st.dictionaries(st.sampled_from("abcd"), DOCUMENTS, max_size=4),
    st.dictionaries(st.sampled_from("abcd"), DOCUMENTS, max_size=4),
)
def test_a_patch_leads_from_old_to_new_and_is_empty_only_for_equals(old: dict[str, Any], new: dict[str, Any]) -> None:
    patch = merge_patch(old, new)
    assert apply_patch(old, patch) == new
    assert bool(patch) == (old != new)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "does not exist|name another file"),
        ("", "name another file"),
        ("{not yaml", "name another file"),
        ("[]", "name another file"),
        ("apiVersion: v1\nkind: Config\ncontexts: []\n", "name another file"),
        ("current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\nclusters: []\n", "name another file"),
    ],
)
async def test_a_bad_kubeconfig_is_one_sentence(tmp_path: Any, text: str | None, says: str) -> None:
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)
    with pytest.raises(NeedsHuman, match=says):
        await connect(path)


async def test_outside_a_cluster_a_file_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(NeedsHuman, match="outside a cluster, name a file with --kubeconfig"):
        await connect(None)


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"HTTPS_PROXY": "http://proxy.test:3128"}, "http://proxy.test:3128", id="as kubectl takes it"),
        pytest.param({"HTTPS_PROXY": "http://proxy.test:3128", "NO_PROXY": "api.test"}, None, id="not for this host"),
        pytest.param({"HTTP_PROXY": "http://proxy.test:3128"}, None, id="of another scheme"),
    ],
)
async def test_the_environment_may_name_a_proxy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, environment: dict[str, str], proxy: str | None
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "kubeconfig"
    path.write_text(
        "current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {token: t}}]\n"
        "clusters: [{name: c, cluster: {server: 'https://api.test:6443'}}]\n"
    )
    async with await connect(path) as kube:
        assert kube.proxy == proxy
