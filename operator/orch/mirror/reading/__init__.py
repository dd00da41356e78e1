"""Reads both sides of changed files and says what it sees, as facts: `python -I -m orch.mirror.reading`.

Started by `orch.mirror.sources` in a process of its own, since what is read is hostile: it has no credential, no environment
and no file open but its pipes, and its memory and processor time are bounded. Nothing that is read is ever imported or run.
A reader takes a `Source` and yields facts; it may fail in any way, which is a fact too.
"""
