"""Answers from values: guards, risk, approvals, intake, capacity, merging, and the one renderer of outgoing text.

Nothing here does I/O, reads a clock or knows a client; whoever asks brings the facts and `now`. What fetches facts or
acts on an answer belongs in the stages and reconcilers.
"""
