"""The demo: `run.py` plays it, `down.py` ends it."""
