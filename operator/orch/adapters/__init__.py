"""The outside world behind the ports: GitHub, git, work runners, artifacts, money. Decisions do not belong here."""
