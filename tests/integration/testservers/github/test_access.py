"""Who gets in and who does not: tokens of each kind, roles, private repositories, git."""

from __future__ import annotations

import pytest

DEMO, SECRET = "/repos/octo/demo", "/repos/octo/secret"


def message(answer):
    return answer.status_code, answer.json()["message"]


class TestTokens:
    def test_a_wrong_one_is_refused_everywhere(self, person):
        assert message(person("ghp_wrong").get(DEMO)) == (401, "Bad credentials")

    def test_nobody_reads_public_and_writes_nothing(self, nobody):
        assert nobody.get(DEMO).status_code == 200
        assert "permissions" not in nobody.get(DEMO).json()
        assert message(nobody.post(f"{DEMO}/issues", json={"title": "t"})) == (401, "Requires authentication")

    def test_a_revoked_one_no_longer_works(self, alice):
        assert alice.get("/user").status_code == 200
        assert alice.post("/_control/tokens/revoke", json={"value": "ghp_alice"}).status_code == 204
        assert alice.get("/user").status_code == 401

    @pytest.mark.parametrize("scheme", ["token", "Bearer", "bearer"])
    def test_schemes(self, nobody, scheme):
        answer = nobody.get("/user", headers={"authorization": f"{scheme} ghp_alice"})
        assert answer.json()["login"] == "alice"

    def test_basic_with_the_token_as_password(self, nobody):
        assert nobody.get("/user", auth=("whoever", "ghp_alice")).json()["login"] == "alice"

    def test_an_unknown_api_version_is_refused(self, alice):
        assert alice.get("/user", headers={"x-github-api-version": "2031-01-01"}).status_code == 400

    def test_no_answer_shows_a_token(self, alice, octo):
        everything = alice.get("/_control/state").text + alice.get("/user").text + octo.get(DEMO).text
        assert "ghp_" not in everything


class TestPrivateRepositories:
    @pytest.mark.parametrize("path", ["", "/issues", "/pulls", "/branches", "/contents/README.md", "/hooks"])
    def test_they_do_not_exist_for_strangers(self, stranger, nobody, path):
        assert message(stranger.get(SECRET + path)) == (404, "Not Found")
        assert message(nobody.get(SECRET + path)) == (404, "Not Found")

    def test_nor_do_their_pages(self, nobody, reader):
        assert nobody.get("/octo/secret").status_code == 404
        assert reader.get("/octo/secret").status_code == 200

    def test_a_classic_token_needs_the_scope(self, github, person):
        weak = person(github.token("alice", scopes=["public_repo"]))
        assert weak.get(SECRET).status_code == 404
        assert weak.get(DEMO).status_code == 200


class TestFineGrained:
    @pytest.fixture
    def narrow(self, github, person):
        permissions = {"contents": "write", "issues": "write", "pull_requests": "read", "statuses": "write"}
        return person(github.token("alice", kind="fine_grained", repos=["octo/demo"], permissions=permissions))

    def test_it_reaches_its_repositories_only(self, narrow):
        assert narrow.get(DEMO).status_code == 200
        assert narrow.get(SECRET).status_code == 404

    def test_each_write_asks_for_its_permission(self, narrow, work):
        assert narrow.post(f"{DEMO}/issues", json={"title": "t"}).status_code == 201
        work.commit("fix", calc_py="x = 1\n")
        work.push("fix")
        refused = narrow.post(f"{DEMO}/pulls", json={"title": "t", "head": "fix", "base": "main"})
        assert message(refused) == (403, "Resource not accessible by personal access token")
        assert refused.headers["x-accepted-github-permissions"] == "pull_requests=write"

    def test_check_runs_cannot_be_read(self, narrow, alice):
        refused = narrow.get(f"{DEMO}/commits/main/check-runs")
        assert message(refused) == (403, "Resource not accessible by personal access token")
        assert narrow.get(f"{DEMO}/commits/main/status").status_code == 200
        assert alice.get(f"{DEMO}/commits/main/check-runs").status_code == 200


class TestApps:
    @pytest.fixture
    def app(self, github, person):
        permissions = {"contents": "read", "checks": "write", "issues": "write"}
        return person(github.token("orch[bot]", kind="app", repos=["octo/demo"], permissions=permissions))

    def test_only_an_app_writes_check_runs(self, app, alice, work):
        body = {"name": "orch", "head_sha": work.git("rev-parse", "main"), "external_id": "run-1"}
        assert message(alice.post(f"{DEMO}/check-runs", json=body)) == (403, "You must authenticate via a GitHub App.")
        run = app.post(f"{DEMO}/check-runs", json=body).json()
        assert (run["status"], run["app"]["slug"], run["external_id"]) == ("queued", "orch", "run-1")
        done = {"conclusion": "success", "output": {"title": "ok", "summary": "fine"}}
        assert app.patch(f"{DEMO}/check-runs/{run['id']}", json=done).json()["status"] == "completed"
        (seen,) = alice.get(f"{DEMO}/commits/main/check-runs").json()["check_runs"]
        assert (seen["id"], seen["conclusion"], seen["output"]["summary"]) == (run["id"], "success", "fine")

    def test_it_has_no_user(self, app):
        assert message(app.get("/user")) == (403, "Resource not accessible by integration")

    def test_its_permissions_bind_it(self, app):
        refused = app.post(f"{DEMO}/git/refs", json={"ref": "refs/heads/x", "sha": "0" * 40})
        assert message(refused) == (403, "Resource not accessible by integration")

    def test_its_comments_are_the_bots(self, app, alice):
        number = alice.post(f"{DEMO}/issues", json={"title": "t"}).json()["number"]
        comment = app.post(f"{DEMO}/issues/{number}/comments", json={"body": "hi"}).json()
        assert (comment["user"]["login"], comment["user"]["type"]) == ("orch[bot]", "Bot")
        assert comment["performed_via_github_app"]["slug"] == "orch"


class TestRoles:
    @pytest.mark.parametrize(
        ("login", "permission", "role"),
        [
            pytest.param("octo", "admin", "admin", id="owner"),
            pytest.param("alice", "write", "write", id="writer"),
            pytest.param("maintainer", "write", "maintain", id="the old field knows no maintain"),
            pytest.param("triager", "read", "triage", id="nor triage"),
            pytest.param("stranger", "read", "read", id="everybody reads a public one"),
        ],
    )
    def test_the_permission_of_each(self, octo, login, permission, role):
        people = {"alice": "write", "maintainer": "maintain", "triager": "triage"}
        octo.patch("/_control/repos/octo/demo", json={"collaborators": people})
        for name in people:
            octo.post("/_control/accounts", json={"login": name})
        body = octo.get(f"{DEMO}/collaborators/{login}/permission").json()
        assert (body["permission"], body["role_name"], body["user"]["login"]) == (permission, role, login)

    def test_a_reader_comments_but_does_not_label(self, reader, alice):
        number = alice.post(f"{DEMO}/issues", json={"title": "t"}).json()["number"]
        assert reader.post(f"{DEMO}/issues/{number}/comments", json={"body": "me too"}).status_code == 201
        assert reader.post(f"{DEMO}/issues/{number}/labels", json={"labels": ["bug"]}).status_code == 403
        assert reader.patch(f"{DEMO}/issues/{number}", json={"state": "closed"}).status_code == 403

    def test_a_readers_labels_are_silently_dropped(self, reader):
        issue = reader.post(f"{DEMO}/issues", json={"title": "t", "labels": ["bug"]}).json()
        assert issue["labels"] == []

    def test_an_archived_repository_is_read_only(self, octo):
        octo.patch(DEMO, json={"archived": True})
        refused = octo.post(f"{DEMO}/issues", json={"title": "t"})
        assert message(refused) == (403, "Repository was archived so is read-only.")


class TestGit:
    def test_a_reader_does_not_push(self, clone):
        work = clone(token="ghp_reader")
        work.commit("fix", calc_py="x = 1\n")
        assert "403" in work.push("fix", ok=False)

    def test_a_private_repository_asks_who_you_are(self, github, work, nobody):
        answer = nobody.get("/octo/secret.git/info/refs", params={"service": "git-upload-pack"})
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Basic realm="GitHub"')
        assert "not found" in work.git("ls-remote", f"{work.remote('ghp_stranger')}/octo/secret.git", ok=False)
        assert "refs/heads/main" in work.git("ls-remote", f"{work.remote('ghp_reader')}/octo/secret.git")

    def test_a_workflow_needs_its_permission(self, github, clone):
        permissions = {"contents": "write"}
        work = clone(token=github.token("alice", kind="fine_grained", permissions=permissions))
        (work.folder / ".github/workflows").mkdir(parents=True)
        work.commit("ci", **{".github/workflows/ci.yml": "on: push\n"})
        refused = work.push("ci", ok=False)
        assert "refusing to allow a Personal Access Token to create or update workflow" in refused
        work.git("checkout", "--quiet", "main")
        work.commit("fix", calc_py="x = 1\n")
        work.push("fix")

    def test_a_lease_protects_a_branch(self, work, clone):
        other = clone()
        first = work.commit("fix", calc_py="x = 1\n")
        work.push("fix")
        other.git("fetch", "--quiet")
        other.git("checkout", "--quiet", "fix")
        other.commit("fix", calc_py="x = 2\n")
        other.push("fix")
        work.commit("fix", calc_py="x = 3\n")
        assert "stale info" in work.push("fix", f"--force-with-lease=fix:{first}", ok=False)

    def test_pull_refs_are_there_and_cannot_be_written(self, alice, work):
        pull = alice.open_pull(work)
        refs = work.git("ls-remote", "origin", "refs/pull/*/head")
        assert refs.split() == [pull["head"]["sha"], "refs/pull/1/head"]
        assert "hidden ref" in work.push("fix:refs/pull/9/head", ok=False)

    def test_a_zipped_request_body_is_understood(self, work, clone):
        """git zips requests over 1 kB, as many refs make."""
        for number in range(60):
            work.git("branch", f"branch-{number}")
        work.git("push", "--quiet", "--all", "origin")
        assert len(clone().git("branch", "--remotes").splitlines()) == 62
