"""GitHub's stand-in: REST 2022-11-28 and smart HTTP over real bare repositories; no behaviour that GitHub does not have.

`server.serve_in_thread` starts it in a test, `python -m orch.testservers.github` as a program; `seed` says what it holds.
PyGithub: `base_url=URL/api/v3`. git: `URL/OWNER/NAME.git` with a token as password. `gh` speaks plain HTTP to one host only,
so it gets `GH_HOST=github.localhost` and the stand-in as `HTTP_PROXY` (git beside it: `http_proxy`).
"""
