"""Where a kind lives on the API server: group, version, plural. Values only, no request.

Called by every module of `orch.kube` and by the watch, which register with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote


class Registered(Protocol):
    """What a kind's class says about itself."""

    GROUP: str
    VERSION: str
    PLURAL: str
    KIND: str


@dataclass(frozen=True, order=True)
class Resource:
    """A kind's address. The core group is the empty string."""

    group: str
    version: str
    plural: str
    kind: str

    @classmethod
    def of(cls, model: Registered | type[Registered]) -> Resource:
        """The address that a model class names in its class attributes."""
        return cls(model.GROUP, model.VERSION, model.PLURAL, model.KIND)

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def name(self) -> str:
        """`issueruns.orch.dev`, as RBAC, `kubectl` and CRDs call it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The URL path. Every part is quoted: a name from outside cannot leave its segment."""
        parts = ["apis", self.group] if self.group else ["api"]
        parts.append(self.version)
        if namespace:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part]
        return "/" + "/".join(_segment(part) for part in parts)


def _segment(part: str) -> str:
    if part in (".", ".."):
        raise ValueError(f"{part!r} is no name of an object")
    return quote(part, safe=":")


NAMESPACES = Resource("", "v1", "namespaces", "Namespace")
SECRETS = Resource("", "v1", "secrets", "Secret")
CONFIGMAPS = Resource("", "v1", "configmaps", "ConfigMap")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
EVENTS = Resource("events.k8s.io", "v1", "events", "Event")
CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition")
POLICIES = Resource("admissionregistration.k8s.io", "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy")
BINDINGS = Resource(
    "admissionregistration.k8s.io", "v1", "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding"
)
SELF = Resource("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview")
TOKEN_REVIEWS = Resource("authentication.k8s.io", "v1", "tokenreviews", "TokenReview")
ACCESS_REVIEWS = Resource("authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview")
LOCAL_ACCESS_REVIEWS = Resource("authorization.k8s.io", "v1", "localsubjectaccessreviews", "LocalSubjectAccessReview")
