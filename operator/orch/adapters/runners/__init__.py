"""Runners: where a work step becomes processes. One module per kind of runner, and what they share.

What happens inside a step is `orch.agent`'s, which is started as a program and never imported.
"""
