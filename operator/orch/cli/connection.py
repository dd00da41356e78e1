"""A connection to the cluster that the options name. Called by each verb that needs one; retries nothing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from orch.cli.options import ANSWER_IS_NO, WRONG_USE, Failure
from orch.errors import OrchError
from orch.kube.client import Kube, connect
from orch.kube.errors import Forbidden, Invalid, KubeError, KubeNotFound

T = TypeVar("T")


def on_cluster(
    body: Callable[[Kube, str], Awaitable[T]], kubeconfig: Path | None, context: str | None, namespace: str | None
) -> T:
    """Run `body(kube, namespace)` and return what it does. Raises Failure for all that the server refuses."""

    async def session() -> T:
        async with await connect(_file(kubeconfig), context=context) as kube:
            return await body(kube, namespace or _namespace(kubeconfig, context))

    try:
        return asyncio.run(session())
    except OrchError as error:
        raise failure(error) from None


def failure(error: OrchError) -> Failure:
    """The error in words for the person who typed the verb: the rights that lack are theirs, not the operator's."""
    text = error.message.replace("the operator's role needs", "you need")
    if isinstance(error, Forbidden):
        return Failure(text, code=WRONG_USE)
    if (isinstance(error, KubeNotFound) and "not find the requested resource" in text) or "page not found" in text:
        return Failure(f"{text}: the cluster lacks orch's CRDs; kubectl apply --server-side -f crds/", code=WRONG_USE)
    said_no = isinstance(error, Invalid | KubeNotFound)
    if isinstance(error, KubeError) and not said_no and "no answer" in text:
        text += "; check the cluster, --kubeconfig and --context"
    return Failure(text, code=ANSWER_IS_NO if said_no else WRONG_USE)


def _file(kubeconfig: Path | None) -> str | None:
    """As kubectl: the option, $KUBECONFIG (a list of files), the home's file; in a pod without one, its account."""
    if kubeconfig is not None:
        return str(kubeconfig)
    home = Path.home() / ".kube" / "config"
    in_pod = "KUBERNETES_SERVICE_HOST" in os.environ and not home.exists()
    return os.environ.get("KUBECONFIG") or (None if in_pod else str(home))


def _namespace(kubeconfig: Path | None, context: str | None) -> str:
    from kubernetes.aio.config import list_kube_config_contexts

    source = _file(kubeconfig)
    if source is None:
        account = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
        return account.read_text().strip() if account.exists() else "default"
    contexts, current = list_kube_config_contexts(source)  # type: ignore[no-untyped-call]
    chosen = next((entry for entry in contexts if entry["name"] == context), None) if context else current
    return str(((chosen or {}).get("context") or {}).get("namespace") or "default")
