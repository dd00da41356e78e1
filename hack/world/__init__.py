"""A whole orch on one machine: stand-ins, gateway and operator as processes of their own, around a given API server.

For the demo, the end-to-end tests and the benchmarks. Nothing here is part of the product.
"""

from hack.world.people import People
from hack.world.process import Process, ProcessError
from hack.world.server import ServerError
from hack.world.world import HOST, World

__all__ = ["HOST", "People", "Process", "ProcessError", "ServerError", "World"]
