"""A connection to the cluster that the options name. Called by each verb that needs one; retries nothing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVar

from orch.cli.options import ANSWER_IS_NO, WRONG_USE, Failure, Place
from orch.errors import OrchError
from orch.kube.client import ActAs, Kube, connect
from orch.kube.errors import Conflict, Forbidden, Invalid, KubeError, KubeNotFound, Unavailable

T = TypeVar("T")

_POLICY_SAYS: Final = "denied request: "
"""What stands before a ValidatingAdmissionPolicy's own message (apiserver, plugin/policy/validating)."""


def on_cluster(body: Callable[[Kube, str], Awaitable[T]], place: Place) -> T:
    """Run `body(kube, namespace)` and return what it does. Raises Failure for all that the server refuses."""

    async def session() -> T:
        act_as = ActAs(place.user, place.groups) if place.user else None
        async with await connect(_file(place.kubeconfig), context=place.context, act_as=act_as) as kube:
            return await body(kube, place.namespace or _namespace(place))

    try:
        return asyncio.run(session())
    except OrchError as error:
        raise failure(error) from None


def failure(error: OrchError) -> Failure:
    """The error in words for the person who typed the verb: the rights that lack are theirs, not the operator's."""
    if not isinstance(error, KubeError) or error.request is None:
        return Failure(error.message, code=WRONG_USE)
    asked, detail = error.request, error.detail
    match error:
        case Forbidden() if error.status == 401:
            text = "the cluster does not know you: log in anew, or correct the user of the kubeconfig's context"
            return Failure(text, code=WRONG_USE)
        case Forbidden() if _POLICY_SAYS not in detail:
            where = f" in namespace {asked.namespace!r}" if asked.namespace else ""
            text = (
                f"you may not {asked.verb} {asked.resource}{where}: ask for a role with that verb; `kubectl auth can-i`"
            )
            return Failure(f"{text} {asked.verb} {asked.resource} tells", code=WRONG_USE)
        case KubeNotFound(unserved=True):
            text = f"the cluster does not serve {asked.resource}: it lacks orch's CRDs; kubectl apply --server-side -f crds/"
            return Failure(text, code=WRONG_USE)
        case Unavailable(status=None):
            text = f"{detail}: is the cluster up? Check --kubeconfig and --context"
            return Failure(text, code=WRONG_USE)
        case Unavailable():
            return Failure(f"the API server is not well: {detail}; try again", code=WRONG_USE)
        case Conflict():
            return Failure(f"{asked.target} was changed by somebody at the same moment: look at it and try again")
        case Invalid() | Forbidden():
            said = detail.partition(_POLICY_SAYS)[2] or detail
            return Failure(f"{asked.target} is refused: {said}", code=ANSWER_IS_NO)
        case _:
            return Failure(f"cannot {asked}: {detail}", code=ANSWER_IS_NO)


def _file(kubeconfig: Path | None) -> str | None:
    """As kubectl: the option, $KUBECONFIG (a list of files), the home's file; in a pod without one, its account.
    Raises Failure where there is none."""
    home = Path.home() / ".kube" / "config"
    named = str(kubeconfig) if kubeconfig is not None else os.environ.get("KUBECONFIG") or str(home)
    if named == str(home) and not home.exists() and "KUBERNETES_SERVICE_HOST" in os.environ:
        return None
    if not any(Path(name).expanduser().exists() for name in named.split(os.pathsep) if name):
        text = f"there is no kubeconfig {named}, so no cluster to ask"
        raise Failure(f"{text}: name one with --kubeconfig or in KUBECONFIG", code=WRONG_USE)
    return named


def context_names(kubeconfig: Path | None) -> list[str]:
    """The contexts of the kubeconfig, of each of its files that can be read; they need not be whole. Raises Failure where there
    is none."""
    import yaml

    names: list[str] = []
    for file in filter(None, (_file(kubeconfig) or "").split(os.pathsep)):
        try:
            config = yaml.safe_load(Path(file).expanduser().read_text())
            names += [str(entry["name"]) for entry in config["contexts"]]
        except (OSError, ValueError, LookupError, TypeError, yaml.YAMLError):
            continue
    return list(dict.fromkeys(names))


def _namespace(place: Place) -> str:
    from kubernetes.aio.config import list_kube_config_contexts

    source = _file(place.kubeconfig)
    if source is None:
        account = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
        return account.read_text().strip() if account.exists() else "default"
    contexts, current = list_kube_config_contexts(source)
    chosen = next((entry for entry in contexts if entry["name"] == place.context), None) if place.context else current
    return str(((chosen or {}).get("context") or {}).get("namespace") or "default")
