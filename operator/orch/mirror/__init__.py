"""Trusted git: our bare mirrors, moved by child processes (`python -I -m orch.mirror`), one act at a time each.

Here belongs what runs git beside a one-shot credential; the decision what may be pushed is `orch.policy`'s, and the
asyncio side that starts the children is `orch.adapters.children`. A child imports the standard library and light
modules of ours only, so that it starts in a few hundredths of a second; what parses hostile text is `orch.mirror.reading`, a
program of its own without a credential.
"""
