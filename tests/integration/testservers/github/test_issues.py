"""Issues, labels, comments, timelines, pages; deletion and transfer."""

from __future__ import annotations

import pytest

DEMO = "/repos/octo/demo"


def an_issue(http, title="It is broken", **fields):
    answer = http.post(f"{DEMO}/issues", json={"title": title, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


class TestBodies:
    @pytest.mark.parametrize(
        ("raw", "status", "text"),
        [
            pytest.param(b"{", 400, "Problems parsing JSON", id="broken JSON"),
            pytest.param(b"[]", 400, "Body should be a JSON object", id="a list"),
            pytest.param(b"{}", 422, '"title" wasn\'t supplied', id="no title"),
            pytest.param(b'{"title": 7}', 422, "is not a string", id="a number"),
            pytest.param(b'{"title": "x", "labels": "bug"}', 422, "is not an array", id="labels as text"),
        ],
    )
    def test_wrong_ones_are_named(self, alice, raw, status, text):
        answer = alice.post(f"{DEMO}/issues", content=raw)
        assert answer.status_code == status
        assert text in answer.json()["message"]

    def test_a_body_has_githubs_limit(self, alice):
        answer = alice.post(f"{DEMO}/issues", json={"title": "t", "body": "x" * 65537})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["message"] == "body is too long (maximum is 65536 characters)"

    def test_hostile_text_comes_back_as_it_was(self, alice, nobody):
        text = "a\x00b \u202e <!-- x --> ```unclosed <script>alert(1)</script>"
        number = an_issue(alice, body=text)["number"]
        assert alice.get(f"{DEMO}/issues/{number}").json()["body"] == text
        page = nobody.get(f"/octo/demo/issues/{number}")
        assert "<script" not in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]


class TestListing:
    def test_filters(self, alice, octo):
        an_issue(alice, "one", labels=["bug"])
        an_issue(octo, "two", labels=["bug", "orch"], assignees=["alice"])
        closed = an_issue(octo, "three")["number"]
        octo.patch(f"{DEMO}/issues/{closed}", json={"state": "closed", "state_reason": "not_planned"})

        def titles(**query):
            return [issue["title"] for issue in alice.get(f"{DEMO}/issues", params=query).json()]

        assert titles() == ["two", "one"]
        assert titles(direction="asc") == ["one", "two"]
        assert titles(labels="bug,orch") == ["two"]
        assert titles(state="closed") == ["three"]
        assert titles(state="all", sort="updated")[0] == "three"
        assert titles(creator="alice") == ["one"]
        assert titles(assignee="alice") == ["two"]
        assert titles(assignee="none") == ["one"]
        assert titles(since="2999-01-01T00:00:00Z") == []
        assert alice.get(f"{DEMO}/issues", params={"state": "open-ish"}).status_code == 422

    def test_links_lead_through_all_pages(self, alice):
        for number in range(5):
            an_issue(alice, f"issue {number}")
        url, seen, rels = f"{DEMO}/issues?per_page=2", [], []
        while url:
            answer = alice.get(url)
            seen += [issue["number"] for issue in answer.json()]
            rels.append(sorted(answer.links))
            url = answer.links.get("next", {}).get("url")
        assert seen == [5, 4, 3, 2, 1]
        assert rels == [["last", "next"], ["first", "last", "next", "prev"], ["first", "prev"]]

    def test_links_keep_the_way_the_caller_came(self, alice):
        an_issue(alice), an_issue(alice)
        answer = alice.get(f"/api/v3{DEMO}/issues?per_page=1")
        assert "/api/v3/repos/octo/demo/issues" in answer.links["next"]["url"]
        assert answer.json()[0]["url"].endswith("/api/v3/repos/octo/demo/issues/2")

    def test_a_page_has_at_most_100(self, alice):
        for number in range(101):
            alice.post(f"{DEMO}/labels", json={"name": f"label-{number}"})
        assert len(alice.get(f"{DEMO}/labels?per_page=500").json()) == 100


class TestLabels:
    def test_the_timeline_says_who_labelled(self, alice, octo):
        number = an_issue(alice)["number"]
        octo.post(f"{DEMO}/issues/{number}/labels", json={"labels": ["orch"]})
        alice.delete(f"{DEMO}/issues/{number}/labels/orch")
        events = alice.get(f"{DEMO}/issues/{number}/events").json()
        assert [(e["event"], e["actor"]["login"], e["label"]["name"]) for e in events] == [
            ("labeled", "octo", "orch"),
            ("unlabeled", "alice", "orch"),
        ]
        assert len({e["node_id"] for e in events}) == 2

    def test_adding_twice_leaves_one_event(self, alice):
        number = an_issue(alice, labels=["bug"])["number"]
        alice.post(f"{DEMO}/issues/{number}/labels", json=["BUG"])
        assert [label["name"] for label in alice.get(f"{DEMO}/issues/{number}/labels").json()] == ["bug"]
        assert len(alice.get(f"{DEMO}/issues/{number}/events").json()) == 1

    def test_set_clear_and_what_is_not_there(self, alice):
        number = an_issue(alice, labels=["bug"])["number"]
        answer = alice.put(f"{DEMO}/issues/{number}/labels", json={"labels": ["one", "two"]})
        assert [label["name"] for label in answer.json()] == ["one", "two"]
        gone = alice.delete(f"{DEMO}/issues/{number}/labels/bug")
        assert (gone.status_code, gone.json()["message"]) == (404, "Label does not exist")
        assert alice.delete(f"{DEMO}/issues/{number}/labels").status_code == 204
        assert alice.get(f"{DEMO}/issues/{number}").json()["labels"] == []

    def test_a_name_with_a_slash_is_one_name(self, alice):
        number = an_issue(alice, labels=["bug", "orch/waiting"])["number"]
        left = alice.delete(f"{DEMO}/issues/{number}/labels/orch%2Fwaiting").json()
        assert [label["name"] for label in left] == ["bug"]
        assert alice.get(f"{DEMO}/labels/orch%2Fwaiting").json()["name"] == "orch/waiting"

    def test_the_repositorys_own(self, alice):
        made = alice.post(f"{DEMO}/labels", json={"name": "orch/declined", "color": "5319E7"}).json()
        assert (made["color"], made["default"]) == ("5319e7", False)
        again = alice.post(f"{DEMO}/labels", json={"name": "Orch/Declined"})
        assert again.json()["errors"][0]["code"] == "already_exists"


class TestChanges:
    def test_a_new_title_is_an_event(self, alice):
        number = an_issue(alice)["number"]
        alice.patch(f"{DEMO}/issues/{number}", json={"title": "New", "body": "other"})
        (event,) = alice.get(f"{DEMO}/issues/{number}/events").json()
        assert (event["event"], event["rename"]) == ("renamed", {"from": "It is broken", "to": "New"})

    def test_comments(self, alice, octo, reader):
        number = an_issue(alice)["number"]
        comment = alice.post(f"{DEMO}/issues/{number}/comments", json={"body": "first"}).json()
        url = f"{DEMO}/issues/comments/{comment['id']}"
        assert octo.patch(url, json={"body": "edited"}).json()["body"] == "edited"
        assert reader.patch(url, json={"body": "mine"}).status_code == 403
        assert alice.get(f"{DEMO}/issues/{number}").json()["comments"] == 1
        assert alice.post(f"{DEMO}/issues/{number}/comments", json={"body": " "}).status_code == 422
        assert alice.delete(url).status_code == 204
        assert alice.get(url).status_code == 404

    def test_a_locked_one_takes_comments_of_writers_only(self, alice, reader):
        number = an_issue(alice)["number"]
        assert alice.put(f"{DEMO}/issues/{number}/lock", json={"lock_reason": "spam"}).status_code == 204
        refused = reader.post(f"{DEMO}/issues/{number}/comments", json={"body": "x"})
        assert refused.status_code == 403
        assert alice.post(f"{DEMO}/issues/{number}/comments", json={"body": "x"}).status_code == 201


class TestLeaving:
    def test_a_deleted_one_is_gone(self, alice):
        number = an_issue(alice)["number"]
        assert alice.delete(f"/_control/repos/octo/demo/issues/{number}").status_code == 204
        answer = alice.get(f"{DEMO}/issues/{number}")
        assert (answer.status_code, answer.json()["message"]) == (410, "This issue was deleted")
        assert alice.get(f"{DEMO}/issues").json() == []

    def test_a_transferred_one_points_to_its_new_place(self, alice, stranger):
        number = an_issue(alice)["number"]
        alice.post(f"{DEMO}/issues/{number}/comments", json={"body": "hello"})
        moved = alice.post(f"/_control/repos/octo/demo/issues/{number}/transfer", json={"to": "octo/secret"}).json()
        answer = alice.get(f"{DEMO}/issues/{number}")
        assert answer.status_code == 301
        there = alice.get(answer.headers["location"]).json()
        assert (there["number"], there["comments"]) == (moved["number"], 1)
        assert stranger.get(f"{DEMO}/issues/{number}").status_code == 404
