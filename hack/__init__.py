"""Set-up of a working copy: environment, control plane, demo. Nothing here ships with orch or is imported by it."""
