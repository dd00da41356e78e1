"""What git knows, over REST: contents, commits, comparisons, refs; and what is not served."""

from __future__ import annotations

import base64

DEMO = "/repos/octo/demo"


def test_a_file_in_three_forms(alice, work):
    body = alice.get(f"{DEMO}/contents/calc.py").json()
    assert base64.b64decode(body["content"]) == b"def add(a, b):\n    return a - b\n"
    assert body["sha"] == work.git("rev-parse", "main:calc.py")
    raw = alice.get(f"{DEMO}/contents/calc.py", headers={"accept": "application/vnd.github.raw+json"})
    assert raw.text == "def add(a, b):\n    return a - b\n"
    assert alice.get(body["download_url"]).text == raw.text


def test_a_folder_lists_its_entries(alice):
    assert [entry["name"] for entry in alice.get(f"{DEMO}/contents/").json()] == ["README.md", "calc.py"]
    assert alice.get(f"{DEMO}/contents/none.py").status_code == 404
    assert alice.get(f"{DEMO}/contents/calc.py", params={"ref": "none"}).status_code == 404


def test_names_that_git_could_misread(alice):
    for ref in ("--help", "main^{tree}", "@{-1}", "main..main", ":(glob)*", "HEAD~1"):
        assert alice.get(f"{DEMO}/contents/calc.py", params={"ref": ref}).status_code == 404
    assert alice.get(f"{DEMO}/contents/:(glob)*").status_code == 404
    for path in ("%2e%2e/x", "a//b", "%00", "..%2f..%2fstate.sqlite"):
        assert alice.get(f"{DEMO}/contents/{path}").status_code == 404


def test_a_comparison_starts_at_the_merge_base(alice, work):
    base = work.git("rev-parse", "main")
    work.commit("fix", "One", calc_py="x = 1\n")
    work.push("fix")
    work.git("checkout", "--quiet", "main")
    work.commit("main", "Elsewhere", other_py="y = 1\n")
    work.push("main")
    body = alice.get(f"{DEMO}/compare/main...fix").json()
    assert (body["status"], body["ahead_by"], body["behind_by"]) == ("diverged", 1, 1)
    assert body["merge_base_commit"]["sha"] == base
    assert [file["filename"] for file in body["files"]] == ["calc.py"]
    assert [commit["commit"]["message"] for commit in body["commits"]] == ["One"]


def test_a_commit_with_its_files(alice, work):
    work.git("mv", "calc.py", "sum.py")
    sha = work.commit("fix", "Rename")
    work.push("fix")
    body = alice.get(f"{DEMO}/commits/{sha}").json()
    (file,) = body["files"]
    assert (file["status"], file["previous_filename"], file["filename"]) == ("renamed", "calc.py", "sum.py")
    assert body["author"]["login"] == "alice"


def test_refs_can_be_made_moved_and_deleted(alice, work):
    first = work.git("rev-parse", "main")
    made = alice.post(f"{DEMO}/git/refs", json={"ref": "refs/heads/a/b", "sha": first})
    assert (made.status_code, made.json()["object"]["sha"]) == (201, first)
    again = alice.post(f"{DEMO}/git/refs", json={"ref": "refs/heads/a/b", "sha": first})
    assert (again.status_code, again.json()["message"]) == (422, "Reference already exists")
    assert alice.get(f"{DEMO}/git/ref/heads/a/b").json()["ref"] == "refs/heads/a/b"
    assert alice.get(f"{DEMO}/branches/a/b").json()["commit"]["sha"] == first
    other = work.commit("c", calc_py="x = 1\n")
    work.push("c")
    url = f"{DEMO}/git/refs/heads/a/b"
    assert alice.patch(url, json={"sha": other}).status_code == 200
    backwards = alice.patch(url, json={"sha": first})
    assert (backwards.status_code, backwards.json()["message"]) == (422, "Update is not a fast forward")
    assert alice.patch(url, json={"sha": first, "force": True}).status_code == 200
    assert alice.delete(url).status_code == 204
    assert alice.delete(url).json()["message"] == "Reference does not exist"
    assert alice.get(f"{DEMO}/branches/a/b").status_code == 404


def test_an_empty_repository(octo, work, clone):
    assert octo.post("/_control/repos", json={"owner": "octo", "name": "empty"}).status_code == 201
    assert octo.get("/repos/octo/empty/branches").json() == []
    assert octo.get("/repos/octo/empty/commits").status_code == 409
    empty = clone("octo/empty", "ghp_octo")
    empty.git("checkout", "--quiet", "-b", "trunk")
    (empty.folder / "a").write_text("a")
    empty.commit("trunk")
    empty.push("trunk")
    assert octo.get("/repos/octo/empty").json()["default_branch"] == "trunk"


def test_what_is_not_served_is_said_by_name(alice):
    for method, path in (("GET", f"{DEMO}/milestones"), ("PATCH", f"{DEMO}/compare/a...b"), ("GET", "/orgs/x/teams")):
        answer = alice.request(method, path)
        assert answer.status_code == 501
        assert answer.json()["message"].startswith(f"Not served by the stand-in: {method} /")
