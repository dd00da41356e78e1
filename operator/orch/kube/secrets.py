"""Secrets and ConfigMaps: read what a reference names, write a ConfigMap once.

Called by reconcilers (credentials) and by the artifact store. It never caches a Secret or puts a value in a text.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from orch.errors import CredentialsRefused
from orch.kube.client import Kube
from orch.kube.errors import AlreadyExists, Invalid, KubeNotFound
from orch.kube.objects import Objects
from orch.kube.owners import is_controlled_by
from orch.kube.resource import CONFIGMAPS, SECRETS


async def read_secret(kube: Kube, namespace: str, name: str) -> dict[str, bytes]:
    """The decoded `data` of a Secret. Raises CredentialsRefused, which names it, when it does not exist."""
    try:
        document = await Objects(kube, SECRETS).get(namespace, name)
    except KubeNotFound:
        text = f"Secret {name!r} does not exist in namespace {namespace!r}: create it or correct the reference"
        raise CredentialsRefused("SecretNotFound", text) from None
    return _decode(document.get("data") or {}, f"Secret {name!r}")


async def read_configmap(kube: Kube, namespace: str, name: str) -> dict[str, bytes]:
    """`data` (UTF-8) and `binaryData` of a ConfigMap together. Raises KubeNotFound."""
    return _content(await Objects(kube, CONFIGMAPS).get(namespace, name), name)


def _content(document: Mapping[str, Any], name: str) -> dict[str, bytes]:
    text = {key: str(value).encode() for key, value in (document.get("data") or {}).items()}
    return text | _decode(document.get("binaryData") or {}, f"ConfigMap {name!r}")


async def create_immutable(
    kube: Kube,
    namespace: str,
    name: str,
    data: Mapping[str, bytes],
    *,
    labels: Mapping[str, str] | None = None,
    owner: Mapping[str, Any] | None = None,
) -> None:
    """Write an immutable ConfigMap (at most 1 MiB by etcd's limit, all keys together).

    One of that name with the same content, and of this owner, is fine: a second run of the same step. Raises AlreadyExists when
    either differs, Invalid when it is too large.
    """
    metadata: dict[str, Any] = {"name": name, "labels": dict(labels or {})}
    if owner is not None:
        metadata["ownerReferences"] = [dict(owner)]
    encoded = {key: base64.b64encode(value).decode("ascii") for key, value in data.items()}
    document = {"metadata": metadata, "immutable": True, "binaryData": encoded}
    try:
        await Objects(kube, CONFIGMAPS).create(namespace, document)
    except AlreadyExists:
        found = await Objects(kube, CONFIGMAPS).get(namespace, name)
        is_ours = owner is None or is_controlled_by(found, str(owner["uid"]))
        if not is_ours or _content(found, name) != dict(data):
            raise


def _decode(data: Mapping[str, str], what: str) -> dict[str, bytes]:
    try:
        return {key: base64.b64decode(value, validate=True) for key, value in data.items()}
    except (binascii.Error, ValueError):
        raise Invalid("Invalid", f"{what} holds data that is not base64") from None
