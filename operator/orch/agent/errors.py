"""The failures of a work step have one root, so that `main` can tell them from a bug. Each class is where it is raised."""

from __future__ import annotations


class StepError(Exception):
    """Something in a step went another way than hoped. The text is for people, and never holds the ticket."""
