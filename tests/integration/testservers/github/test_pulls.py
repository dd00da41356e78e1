"""Pull requests and merging, by raw HTTP and a real git."""

from __future__ import annotations

import pytest

DEMO = "/repos/octo/demo"
RULE = {"branch": "main", "required_checks": ["ci"], "required_reviews": 1, "strict": True}


def merge(http, number, **body):
    return http.put(f"{DEMO}/pulls/{number}/merge", json=body)


class TestOpening:
    def test_a_pull_request_tells_what_git_knows(self, alice, work):
        pull = alice.open_pull(work)
        assert (pull["head"]["ref"], pull["head"]["sha"]) == ("fix", work.git("rev-parse", "fix"))
        assert (pull["base"]["ref"], pull["base"]["sha"]) == ("main", work.git("rev-parse", "main"))
        counts = ("commits", "additions", "deletions", "changed_files")
        assert [pull[name] for name in counts] == [1, 1, 1, 1]
        (file,) = alice.get(f"{DEMO}/pulls/{pull['number']}/files").json()
        assert file["patch"] == "@@ -1,2 +1,2 @@\n def add(a, b):\n-    return a - b\n+    return a + b"

    def test_it_is_an_issue_too(self, alice, work):
        number = alice.open_pull(work)["number"]
        (issue,) = alice.get(f"{DEMO}/issues").json()
        assert (issue["number"], issue["pull_request"]["merged_at"]) == (number, None)

    def test_a_second_one_for_the_same_head_is_refused_in_githubs_words(self, alice, work):
        alice.open_pull(work)
        answer = alice.post(f"{DEMO}/pulls", json={"title": "again", "head": "fix", "base": "main"})
        assert answer.status_code == 422
        message = "A pull request already exists for octo:fix."
        assert answer.json()["errors"] == [{"resource": "PullRequest", "code": "custom", "message": message}]

    @pytest.mark.parametrize(
        ("body", "error"),
        [
            pytest.param({"head": "main", "base": "main"}, {"message": "No commits between main and main"}, id="same"),
            pytest.param({"head": "nowhere", "base": "main"}, {"field": "head", "code": "invalid"}, id="no such head"),
            pytest.param({"head": "main", "base": "nowhere"}, {"field": "base", "code": "invalid"}, id="no such base"),
        ],
    )
    def test_what_cannot_be_a_pull_request(self, alice, body, error):
        answer = alice.post(f"{DEMO}/pulls", json={"title": "t", **body})
        assert answer.status_code == 422
        assert error.items() <= answer.json()["errors"][0].items()

    def test_two_at_once_open_one(self, github, alice, work):
        from concurrent.futures import ThreadPoolExecutor

        work.commit("fix", calc_py="x = 1\n")
        work.push("fix")
        body = {"title": "t", "head": "fix", "base": "main"}
        with ThreadPoolExecutor(4) as pool:
            codes = sorted(a.status_code for a in pool.map(lambda _: alice.post(f"{DEMO}/pulls", json=body), range(4)))
        assert codes == [201, 422, 422, 422]

    def test_it_is_found_by_head(self, alice, work):
        number = alice.open_pull(work)["number"]
        found = alice.get(f"{DEMO}/pulls", params={"head": "octo:fix"}).json()
        assert [pull["number"] for pull in found] == [number]
        assert alice.get(f"{DEMO}/pulls", params={"head": "octo:other"}).json() == []


class TestMergeability:
    def test_it_is_unknown_at_first_and_then_true(self, alice, work):
        pull = alice.open_pull(work)
        assert (pull["mergeable"], pull["mergeable_state"]) == (None, "unknown")
        settled = alice.settled(pull["number"])
        assert (settled["mergeable"], settled["mergeable_state"]) == (True, "clean")

    def test_a_conflict_is_dirty_and_cannot_be_merged(self, alice, octo, work):
        number = alice.open_pull(work)["number"]
        work.git("checkout", "--quiet", "main")
        work.commit("main", calc_py="def add(a, b):\n    return sum((a, b))\n")
        work.push("main")
        settled = alice.settled(number)
        assert (settled["mergeable"], settled["mergeable_state"]) == (False, "dirty")
        answer = merge(alice, number)
        assert (answer.status_code, answer.json()["message"]) == (405, "Pull Request is not mergeable")

    def test_a_moved_base_makes_it_unknown_again(self, alice, work):
        number = alice.open_pull(work)["number"]
        assert alice.settled(number)["mergeable"] is True
        work.git("checkout", "--quiet", "main")
        work.commit("main", other_py="x = 1\n")
        work.push("main")
        assert alice.get(f"{DEMO}/pulls/{number}").json()["mergeable"] is None

    def test_a_draft_is_not_merged(self, alice, work):
        work.commit("fix", calc_py="x = 1\n")
        work.push("fix")
        body = {"title": "t", "head": "fix", "base": "main", "draft": True}
        number = alice.post(f"{DEMO}/pulls", json=body).json()["number"]
        assert alice.settled(number)["mergeable_state"] == "draft"
        assert merge(alice, number).json()["message"] == "Pull Request is still a draft"


class TestMerging:
    def test_the_sha_is_a_precondition(self, alice, work):
        number = alice.open_pull(work)["number"]
        answer = merge(alice, number, sha="0" * 40)
        assert answer.status_code == 409
        assert answer.json()["message"] == "Head branch was modified. Review and try the merge again."

    def test_a_merge_commit_has_both_parents(self, alice, work):
        pull = alice.open_pull(work)
        done = merge(alice, pull["number"], sha=pull["head"]["sha"]).json()
        assert done["merged"] is True
        work.git("fetch", "--quiet")
        assert work.git("rev-parse", "origin/main") == done["sha"]
        assert work.git("log", "-1", "--format=%P|%s|%B|%cn", done["sha"]).splitlines() == [
            f"{pull['base']['sha']} {pull['head']['sha']}|Merge pull request #1 from octo/fix|"
            "Merge pull request #1 from octo/fix",
            "",
            "Fix add|GitHub",
        ]

    def test_squash_makes_one_commit_with_our_text(self, alice, work):
        pull = alice.open_pull(work)
        work.commit("fix", "More", more_py="y = 2\n")
        work.push("fix")
        texts = {"merge_method": "squash", "commit_title": "Fix add (#1)", "commit_message": "Because it subtracted."}
        done = merge(alice, pull["number"], **texts).json()
        work.git("fetch", "--quiet")
        assert work.git("log", "-1", "--format=%P|%B|%an", done["sha"]).splitlines() == [
            f"{pull['base']['sha']}|Fix add (#1)", "", "Because it subtracted.|alice",
        ]  # fmt: skip
        assert set(work.git("ls-tree", "--name-only", "origin/main").split()) == {"README.md", "calc.py", "more.py"}

    def test_rebase_replays_each_commit_on_a_moved_base(self, alice, work):
        pull = alice.open_pull(work)
        work.commit("fix", "More", more_py="y = 2\n")
        work.push("fix")
        work.git("checkout", "--quiet", "main")
        work.commit("main", "Elsewhere", other_py="x = 1\n")
        work.push("main")
        assert merge(alice, pull["number"], merge_method="rebase").status_code == 200
        work.git("fetch", "--quiet")
        subjects = work.git("log", "--format=%s %an", "origin/main").splitlines()
        assert subjects == ["More Alice", "Add, not subtract Alice", "Elsewhere Alice", "Initial commit Octo Cat"]
        assert "other.py" in work.git("ls-tree", "--name-only", "origin/main")

    def test_the_closing_keyword_closes_the_issue(self, alice, work):
        alice.post(f"{DEMO}/issues", json={"title": "add subtracts"})
        number = alice.open_pull(work, body="Fixes #1")["number"]
        assert alice.get(f"{DEMO}/issues/1").json()["state"] == "open"
        sha = merge(alice, number).json()["sha"]
        issue = alice.get(f"{DEMO}/issues/1").json()
        assert (issue["state"], issue["state_reason"], issue["closed_by"]["login"]) == ("closed", "completed", "alice")
        timeline = alice.get(f"{DEMO}/issues/1/timeline").json()
        assert [(e["event"], e.get("commit_id")) for e in timeline] == [("cross-referenced", None), ("closed", sha)]

    def test_a_merged_pull_request_stays_what_it_was(self, alice, work):
        pull = alice.open_pull(work)
        sha = merge(alice, pull["number"]).json()["sha"]
        after = alice.get(f"{DEMO}/pulls/{pull['number']}").json()
        assert (after["merged"], after["merge_commit_sha"], after["state"]) == (True, sha, "closed")
        assert (after["commits"], after["changed_files"], after["merged_by"]["login"]) == (1, 1, "alice")
        assert alice.get(f"{DEMO}/pulls/{pull['number']}/merge").status_code == 204
        assert merge(alice, pull["number"]).status_code == 405

    def test_two_at_once_merge_once(self, alice, work):
        from concurrent.futures import ThreadPoolExecutor

        number = alice.open_pull(work)["number"]
        with ThreadPoolExecutor(4) as pool:
            codes = sorted(a.status_code for a in pool.map(lambda _: merge(alice, number), range(4)))
        assert codes == [200, 405, 405, 405]

    def test_only_allowed_methods(self, octo, alice, work):
        octo.patch(DEMO, json={"allow_squash_merge": False})
        number = alice.open_pull(work)["number"]
        answer = merge(alice, number, merge_method="squash")
        assert (answer.status_code, answer.json()["message"]) == (
            405,
            "Squash merges are not allowed on this repository.",
        )


class TestFollowingBranches:
    def test_a_push_moves_the_head(self, alice, work):
        number = alice.open_pull(work)["number"]
        sha = work.commit("fix", "More", more_py="y = 2\n")
        work.push("fix")
        pull = alice.get(f"{DEMO}/pulls/{number}").json()
        assert (pull["head"]["sha"], pull["commits"]) == (sha, 2)

    def test_late_visibility_shows_the_old_head_for_a_while(self, github, alice, work):
        pull = alice.open_pull(work)
        alice.patch("/_control/settings", json={"visibility_delay": 0.3})
        sha = work.commit("fix", "More", more_py="y = 2\n")
        work.push("fix")
        assert alice.get(f"{DEMO}/pulls/{pull['number']}").json()["head"]["sha"] == pull["head"]["sha"]
        github.settle()
        assert alice.get(f"{DEMO}/pulls/{pull['number']}").json()["head"]["sha"] == sha

    def test_deleting_the_head_branch_closes_it(self, alice, work):
        number = alice.open_pull(work)["number"]
        assert alice.delete(f"{DEMO}/git/refs/heads/fix").status_code == 204
        assert alice.get(f"{DEMO}/pulls/{number}").json()["state"] == "closed"

    def test_a_head_that_lands_on_the_base_counts_as_merged(self, alice, work):
        number = alice.open_pull(work)["number"]
        work.git("checkout", "--quiet", "main")
        work.git("merge", "--quiet", "fix")
        work.push("main")
        assert alice.get(f"{DEMO}/pulls/{number}").json()["merged"] is True

    def test_update_branch_merges_the_base_in(self, alice, work):
        pull = alice.open_pull(work)
        work.git("checkout", "--quiet", "main")
        tip = work.commit("main", other_py="x = 1\n")
        work.push("main")
        url = f"{DEMO}/pulls/{pull['number']}/update-branch"
        refused = alice.put(url, json={"expected_head_sha": tip})
        assert refused.status_code == 422
        assert alice.put(url, json={"expected_head_sha": pull["head"]["sha"]}).status_code == 202
        after = alice.get(f"{DEMO}/pulls/{pull['number']}").json()
        work.git("fetch", "--quiet")
        parents = work.git("log", "-1", "--format=%P", "origin/fix").split()
        assert (after["head"]["sha"], parents) == (work.git("rev-parse", "origin/fix"), [pull["head"]["sha"], tip])
        assert alice.put(url, json={}).status_code == 422

    def test_a_pull_request_from_a_fork(self, github, stranger, alice, clone):
        assert stranger.post(f"{DEMO}/forks").status_code == 202
        fork = clone("stranger/demo", "ghp_stranger")
        sha = fork.commit("patch", calc_py="def add(a, b):\n    return a + b\n")
        fork.push("patch")
        body = {"title": "From afar", "head": "stranger:patch", "base": "main"}
        pull = stranger.post(f"{DEMO}/pulls", json=body).json()
        assert (pull["head"]["repo"]["full_name"], pull["head"]["sha"]) == ("stranger/demo", sha)
        assert merge(stranger, pull["number"]).status_code == 403
        assert merge(alice, pull["number"]).status_code == 200


class TestRules:
    @pytest.fixture
    def ruled(self, alice, work):
        number = alice.open_pull(work)["number"]
        assert alice.patch("/_control/repos/octo/demo", json={"rules": [RULE]}).status_code == 200
        return number

    def test_each_unmet_rule_blocks_and_is_named(self, alice, octo, ruled):
        head = alice.settled(ruled)
        assert head["mergeable_state"] == "blocked"
        message = merge(alice, ruled).json()["message"]
        assert "At least 1 approving review is required by reviewers with write access." in message
        assert 'Required status check "ci" is expected.' in message
        octo.post(f"{DEMO}/pulls/{ruled}/reviews", json={"event": "APPROVE"})
        octo.post(f"{DEMO}/statuses/{head['head']['sha']}", json={"state": "success", "context": "ci"})
        assert alice.settled(ruled)["mergeable_state"] == "clean"
        assert merge(alice, ruled).status_code == 200

    def test_strict_demands_the_bases_tip(self, alice, octo, work, ruled):
        octo.patch("/_control/repos/octo/demo", json={"rules": []})
        work.git("checkout", "--quiet", "main")
        work.commit("main", other_py="x = 1\n")
        work.push("main")
        octo.patch("/_control/repos/octo/demo", json={"rules": [{"branch": "main", "strict": True}]})
        assert alice.settled(ruled)["mergeable_state"] == "behind"
        assert merge(alice, ruled).status_code == 405

    def test_a_readers_approval_does_not_count(self, alice, reader, ruled):
        reader.post(f"{DEMO}/pulls/{ruled}/reviews", json={"event": "APPROVE"})
        assert "approving review" in merge(alice, ruled).json()["message"]

    @pytest.mark.parametrize(
        ("rule", "kind", "method", "words"),
        [
            ({"linear_history": True}, "required_linear_history", "merge", "must not contain merge commits"),
            ({"signatures": True}, "required_signatures", "rebase", "must have verified signatures"),
            ({"locked": True}, "update", "squash", "Cannot change this locked branch"),
        ],
    )
    def test_what_a_branch_does_not_take(self, alice, octo, ruled, rule, kind, method, words):
        for told_as in ("ruleset", "protection"):
            octo.patch("/_control/repos/octo/demo", json={"rules": [{"branch": "main", "kind": told_as, **rule}]})
            alice.settled(ruled)
            assert words in merge(alice, ruled, merge_method=method).json()["message"]
            kinds = {found["type"] for found in alice.get(f"{DEMO}/rules/branches/main").json()}
            assert (kind in kinds) is (told_as == "ruleset")
        full = octo.get(f"{DEMO}/branches/main/protection").json()
        assert {name for name, part in full.items() if isinstance(part, dict) and part.get("enabled")} == {
            "enforce_admins",
            {"update": "lock_branch"}.get(kind, kind),
        }
        octo.patch("/_control/repos/octo/demo", json={"rules": [{"branch": "main", **rule, "locked": False}]})
        assert merge(alice, ruled, merge_method="squash").status_code == 200

    def test_the_branch_tells_its_rules(self, alice, ruled):
        kinds = {rule["type"] for rule in alice.get(f"{DEMO}/rules/branches/main").json()}
        assert kinds == {"pull_request", "required_status_checks"}
        assert alice.get(f"{DEMO}/branches/main").json()["protected"] is True
        assert alice.get(f"{DEMO}/branches/fix").json()["protected"] is False

    def test_git_cannot_push_to_a_ruled_branch(self, work, ruled):
        work.git("checkout", "--quiet", "main")
        work.commit("main", other_py="x = 1\n")
        assert "Changes must be made through a pull request" in work.push("main", ok=False)


class TestReviews:
    def test_nobody_approves_their_own(self, alice, work):
        number = alice.open_pull(work)["number"]
        answer = alice.post(f"{DEMO}/pulls/{number}/reviews", json={"event": "APPROVE"})
        assert (answer.status_code, answer.json()["errors"]) == (422, ["Can not approve your own pull request"])

    def test_a_review_with_comments_on_lines(self, alice, octo, work):
        number = alice.open_pull(work)["number"]
        comment = {"path": "calc.py", "line": 2, "body": "Sure?"}
        body = {"event": "REQUEST_CHANGES", "body": "Please look", "comments": [comment]}
        review = octo.post(f"{DEMO}/pulls/{number}/reviews", json=body).json()
        assert review["state"] == "CHANGES_REQUESTED"
        (shown,) = alice.get(f"{DEMO}/pulls/{number}/comments").json()
        assert (shown["path"], shown["line"], shown["pull_request_review_id"]) == ("calc.py", 2, review["id"])
        answer = alice.post(f"{DEMO}/pulls/{number}/comments/{shown['id']}/replies", json={"body": "Yes."}).json()
        assert answer["in_reply_to_id"] == shown["id"]
        outside = {"event": "COMMENT", "body": "x", "comments": [{**comment, "line": 999}]}
        assert octo.post(f"{DEMO}/pulls/{number}/reviews", json=outside).status_code == 422

    def test_a_dismissed_review_no_longer_blocks(self, alice, octo, work):
        number = alice.open_pull(work)["number"]
        rules = [{"branch": "main", "required_reviews": 1}]
        alice.patch("/_control/repos/octo/demo", json={"rules": rules})
        body = {"event": "REQUEST_CHANGES", "body": "no"}
        review = octo.post(f"{DEMO}/pulls/{number}/reviews", json=body).json()
        assert "Changes requested" in merge(alice, number).json()["message"]
        url = f"{DEMO}/pulls/{number}/reviews/{review['id']}/dismissals"
        assert octo.put(url, json={"message": "done"}).json()["state"] == "DISMISSED"
        assert "At least 1 approving" in merge(alice, number).json()["message"]
