"""What profiles of the operator have shown, and what was done: a section of docs/benchmarks.md, written by people."""

from __future__ import annotations

from typing import Final

SECTION: Final = """\
## Where the time went

`py-spy record` on the operator of `scale`, `burst` and `waiting` (`pip install py-spy`; its pid is in the process table as
`tests.bench.program`). Shares are of the samples in which the process did anything.

**A start before 5,000 objects** (`scale`): the first look at 200 runs and 100 repositories 39 %, imports 34 %, kopf's thread 11 %, half of
which reads lists. Finished runs are not listed, so none of it grows with them. What was done about the three:

1. **Lists.** kopf's list was followed by one of ours, so that everything was listed and read twice. Now its list is taken over as a whole.
2. **Looks.** A look costs three requests to the API server (the run, its repository, its Secret, which is read anew so that a rotated
   one counts at once). The HTTP client looked for a proxy in the environment and for a password in `~/.netrc` at each of them, the latter
   in another thread. Both are settled when the connection is made.
3. **Imports** take 1.7 s of the processor. The one dead weight was most of the synchronous Kubernetes client, with OAuth and websockets,
   which the package loads and nobody here uses; `orch operator` passes it by, for 0.1 s and 2 MB less (two noisy cores, medians of
   interleaved starts; the figures above are of programs that load it still). Building the models of the API only when they are read
   spares a verb of `kubectl orch` most of them and the operator nothing: importing them takes 0.39 s where it took 0.46 s, but the
   operator needs them all at once, for the hashes of the schemas. What is left is the models' own classes (a sixth), kopf, aiohttp and
   anyio, cryptography (by PyGithub), pydantic; the first look needs them, or their packages load them whatever is asked of them.

**200 runs at once** (`burst`): requests 26 %, kopf's thread 21 %, looks at repositories 11 %, dumps of status 9 %.

1. **Looks that nothing had called for.** Each run was looked at 2.2 to 2.8 times. Each write of a repository's figures woke all its runs,
   and a run's own first write woke it once more. Now it is one look a run, and half as many reads of runs and Secrets.
2. **Events in kopf.** kopf copies each object twice to compare it with the one before, for handlers that orch does not have; it is given
   nothing to compare. What is left is kopf's way to its one handler.
3. **Dumps.** Each write dumps the status three times, to measure it and for the difference. What is empty is left out, and to see that,
   each field was compared with a new list and a new dictionary; most fields are not empty, and that is asked first now.

**1,000 runs that wait** (`waiting`): requests 50 %, copies of what was read 9 %.

1. **How often.** Runs whose checks were overdue were looked at each minute; they are looked at each five minutes, as the others.
2. **Copies.** `copy.deepcopy` asked of every text whether it can be changed. A status is copied by what can be in it, in less than half the
   time.
3. **Comparing status that has not changed.** Both versions were turned into documents to be compared (14 % once). They are compared as they
   are, and only what differs is turned into a document.
"""
