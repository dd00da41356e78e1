"""`python -m orch.testservers.model`: the stand-in as a program. Started by the demo and end-to-end tests."""

import sys

from orch.testservers.model.server import main

sys.exit(main())
