"""Integration tests run against a real API server."""

from tests.cluster import api, control_plane, impersonate, kubeconfig, kubectl, namespace

__all__ = ["api", "control_plane", "impersonate", "kubeconfig", "kubectl", "namespace"]
