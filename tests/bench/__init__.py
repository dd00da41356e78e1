"""Benchmarks: what is measured, and how. Run by `make bench`, never by the tests."""
