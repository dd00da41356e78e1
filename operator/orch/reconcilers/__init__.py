"""One reconciler per kind: observe, decide, act, write status. They meet only through the API server; how the world is
reached does not belong here."""
