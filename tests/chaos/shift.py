"""Runs that are under way while something goes wrong, and people who answer whatever they ask. Used by the chaos tests."""

from __future__ import annotations

import time

from tests.e2e.lots import Lot


class Shift:
    """`runs`: about the lot's next issues, so many as are told."""

    def __init__(self, lot: Lot, runs: int) -> None:
        self.desk = lot.desk
        self.runs = [lot.take() for _ in range(runs)]

    def wake(self) -> None:
        """Approve what is asked, and have the runs looked at now: what they wait for may be there again."""
        for approval in self.desk.list("approvals"):
            is_open = approval.get("status", {}).get("outcome", "Pending") == "Pending"
            if is_open and not approval["spec"].get("decisions"):
                self.desk.decide(approval["metadata"]["name"], "Approve")
        for run in self.runs:
            if run.status and not run.status.get("completionTime"):
                self.desk.poke("issueruns", run.name)
        time.sleep(1)

    def end_all(self) -> None:
        """Wait until all runs are over."""

        def all_over() -> bool:
            self.wake()
            return all(run.status.get("completionTime") for run in self.runs)

        self.desk.until(all_over, what=lambda: [run.status for run in self.runs])
