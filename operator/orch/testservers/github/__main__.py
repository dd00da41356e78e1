"""`python -m orch.testservers.github`: the stand-in as a program (see `server.main`)."""

from .server import main

raise SystemExit(main())
