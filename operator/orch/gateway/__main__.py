"""`python -m orch.gateway`: the same program as `orch gateway`."""

import sys

from orch.gateway.main import main

sys.exit(main(sys.argv[1:]))
