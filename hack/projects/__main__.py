"""`python -m hack.projects`: fetch the source distributions of all projects. Called by `make setup`, for the network."""

import sys

from hack.projects.fetch import main

sys.exit(main())
