"""Real code for the demo and the end-to-end tests: released packages with an old bug each, and a generated stress load.

Here is what a project is and how its repository is made. Nothing of a package is committed, nor run by set-up; how a run is
followed, and what is expected of it, does not belong here.
"""

from hack.projects.catalog import ALL, DEMO, get_project
from hack.projects.fetch import fetch_archive
from hack.projects.prepare import prepare
from hack.projects.project import Bug, Project, Replacement
from hack.projects.seed import TOKENS, seed, seed_for
from hack.projects.stress import Stress, StressIssue, stress

__all__ = [
    "ALL",
    "DEMO",
    "TOKENS",
    "Bug",
    "Project",
    "Replacement",
    "Stress",
    "StressIssue",
    "fetch_archive",
    "get_project",
    "prepare",
    "seed",
    "seed_for",
    "stress",
]
