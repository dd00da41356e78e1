"""orch turns labelled GitHub issues into merged pull requests, under policy, budget and human approval."""
