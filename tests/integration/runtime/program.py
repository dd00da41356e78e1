"""A whole operator in a process of its own, for the tests that end it: `program.py KUBECONFIG NAMESPACE`.

It prints a line for each reconcile and takes as long for it as the object's spec says (tenths of a second). An object whose
parent is "busy" has its status written, again and again.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from datetime import timedelta

from tests.integration.kube.widgets import Widget
from tests.integration.runtime.loop import Telling, a_controller, a_manager

from orch.kube.client import connect
from orch.kube.lease import Lease, LeaseTimes
from orch.kube.store import Store
from orch.runtime.audit import setup_logging
from orch.runtime.manager import exit_at_once
from orch.runtime.reconcile import Key, Result


async def main(kubeconfig: str, namespace: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with await connect(kubeconfig) as kube:
        times = LeaseTimes(duration=3, renew_deadline=2, retry=0.2)
        lease = Lease(kube, namespace, "orch", times=times, on_lost=exit_at_once)
        kube = kube.fenced(lambda: lease.remaining() > 0)  # as main does
        store = Store(kube, Widget)

        async def step(key: Key) -> Result | None:
            widget = await store.get(key.namespace, key.name)
            print("begin", key.name, flush=True)
            await asyncio.sleep(widget.spec.size / 10)
            print("end", key.name, flush=True)
            if widget.spec.parent != "busy":
                return None
            seen = widget.model_copy(deep=True)
            seen.status.seen = (widget.status.seen or 0) + 1
            await store.write_status(seen, widget)
            return Result(timedelta(milliseconds=5))

        await a_manager(kube, namespace, a_controller(Telling(step)), lease=lease).run(stop)
    print("stopped", flush=True)


if __name__ == "__main__":
    setup_logging()
    asyncio.run(main(*sys.argv[1:]))
