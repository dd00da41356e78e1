"""The program of a mirror child: `python -I -m orch.mirror`. Started by `orch.adapters.git`, never by a person."""

import sys

from orch.mirror.child import main

sys.exit(main())
