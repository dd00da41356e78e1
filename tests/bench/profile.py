"""What profiles of the operator have shown, and what was done: a section of docs/benchmarks.md, written by people."""

from __future__ import annotations

from typing import Final

SECTION: Final = """\
## Where the time went

`py-spy record` on the operator of `scale`, `burst` and `waiting` (`pip install py-spy`; its pid is in the process table as
`tests.bench.program`). Shares are of the samples in which the process did anything. The hottest places, and what was done:

1. **Requests to the API server** (28 % while waiting, two thirds of it not the request itself). The HTTP client looked for a proxy in
   the environment and for a password in `~/.netrc` at each request, the latter in another thread. Both are now settled when the
   connection is made.
2. **Comparing status that has not changed** (14 %). Both versions were turned into documents to be compared. They are compared as
   they are now, and only what differs is turned into a document.
3. **Events in kopf** (10 %). kopf copies each object twice to compare it with the one before, for handlers that orch does not have; it is
   given nothing to compare now. At a start its list was followed by one of ours, so that everything was listed and read twice: now
   its list is taken over as a whole.
"""
