"""A small kind of the tests' own, so that these rooms are tested without knowing any kind of orch."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from tests.cluster import Kubectl

GROUP = "widgets.test.orch.dev"
CRD = f"""
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: widgets.{GROUP}
  annotations: {{test/schema-hash: abc}}
spec:
  group: {GROUP}
  scope: Namespaced
  names: {{kind: Widget, plural: widgets, singular: widget}}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {{status: {{}}}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              size: {{type: integer, minimum: 0}}
              parent: {{type: string}}
          status:
            type: object
            x-kubernetes-preserve-unknown-fields: true
"""


def install(kubectl: Kubectl) -> None:
    """Apply the CRD and wait for it; doing it twice at once is fine."""
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=CRD)
    kubectl("wait", "--for=condition=Established", "--timeout=60s", f"crd/widgets.{GROUP}")


class _Model(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")


class Meta(_Model):
    name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: list[str] = Field(default_factory=list)


class Spec(_Model):
    size: int = 0
    parent: str | None = None


class Status(_Model):
    seen: int | None = None
    parts: list[str] = Field(default_factory=list)
    nested: dict[str, str] = Field(default_factory=dict)


class Widget(_Model):
    """A widget of some size."""

    GROUP: ClassVar[str] = GROUP
    VERSION: ClassVar[str] = "v1"
    PLURAL: ClassVar[str] = "widgets"
    KIND: ClassVar[str] = "Widget"

    metadata: Meta
    spec: Spec = Field(default_factory=Spec)
    status: Status = Field(default_factory=Status)

    @classmethod
    def named(cls, namespace: str, name: str, *, size: int = 0, parent: str | None = None, **labels: str) -> Self:
        return cls(metadata=Meta(name=name, namespace=namespace, labels=labels), spec=Spec(size=size, parent=parent))

    def dump(self) -> dict[str, Any]:
        return self.model_dump(by_alias=True, exclude_none=True, mode="json")
