"""Conditional requests: who has an answer already gets 304, per URL and token."""

from __future__ import annotations

from typing import Any

import pytest

ISSUE = "/repos/octo/app/issues/1"


def test_the_same_answer_is_sent_once(world: Any) -> None:
    first = world.client.get(ISSUE)
    again = world.client.get(ISSUE, headers={"if-none-match": first.headers["etag"]})
    assert first.headers["etag"].startswith('W/"')
    assert (again.status_code, again.content) == (304, b"")
    for name in ("etag", "cache-control", "vary", "last-modified"):
        assert again.headers[name] == first.headers[name]
    assert "content-type" not in again.headers


def test_a_change_has_a_new_etag(world: Any) -> None:
    old = world.client.get(ISSUE).headers["etag"]
    world.client.patch(ISSUE, json={"title": "another title"})
    fresh = world.client.get(ISSUE, headers={"if-none-match": old})
    assert fresh.status_code == 200
    assert fresh.headers["etag"] != old


@pytest.mark.parametrize("path", ["/repos/octo/app/issues", "/repos/octo/app/labels", "/repos/octo/app/branches"])
def test_lists_have_etags_but_no_date(world: Any, path: str) -> None:
    answer = world.client.get(path)
    assert "last-modified" not in answer.headers
    assert world.client.get(path, headers={"if-none-match": answer.headers["etag"]}).status_code == 304


def test_each_token_and_each_url_has_its_own_etag(world: Any) -> None:
    etags = {
        client.get(path).headers["etag"]
        for client in (world.client, world.second, world.other, world.anonymous)
        for path in (ISSUE, "/repos/octo/app/issues/1/comments", "/repos/octo/app/issues/1/comments?per_page=5")
    }
    assert len(etags) == 12
    mine = world.client.get(ISSUE).headers["etag"]
    assert world.second.get(ISSUE, headers={"if-none-match": mine}).status_code == 200


def test_caches_are_told_who_may_keep_it(world: Any) -> None:
    assert world.client.get(ISSUE).headers["cache-control"] == "private, max-age=60, s-maxage=60"
    assert "Authorization" in world.client.get(ISSUE).headers["vary"]
    assert world.anonymous.get(ISSUE).headers["cache-control"] == "public, max-age=60, s-maxage=60"


@pytest.mark.parametrize(
    ("header", "status"),
    [
        pytest.param("{etag}", 304, id="as sent"),
        pytest.param("{strong}", 304, id="comparison is weak"),
        pytest.param('W/"other", {etag}', 304, id="one of several"),
        pytest.param("*", 304, id="any"),
        pytest.param('W/"other"', 200, id="another"),
        pytest.param("rubbish", 200, id="no etag at all"),
    ],
)
def test_if_none_match(world: Any, header: str, status: int) -> None:
    etag = world.client.get(ISSUE).headers["etag"]
    asked = header.format(etag=etag, strong=etag.removeprefix("W/"))
    assert world.client.get(ISSUE, headers={"if-none-match": asked}).status_code == status


@pytest.mark.parametrize(
    ("since", "status"),
    [
        pytest.param("{changed}", 304, id="not changed since"),
        pytest.param("Mon, 01 Jan 2001 00:00:00 GMT", 200, id="changed since"),
        pytest.param("yesterday", 200, id="no date"),
    ],
)
def test_if_modified_since(world: Any, since: str, status: int) -> None:
    changed = world.client.get(ISSUE).headers["last-modified"]
    headers = {"if-modified-since": since.format(changed=changed)}
    assert world.client.get(ISSUE, headers=headers).status_code == status
    assert world.client.get(ISSUE, headers={**headers, "if-none-match": 'W/"other"'}).status_code == 200


def test_head_has_the_etag_of_get(world: Any) -> None:
    assert world.client.head(ISSUE).headers["etag"] == world.client.get(ISSUE).headers["etag"]


def test_writes_and_errors_have_none(world: Any) -> None:
    assert "etag" not in world.client.post(f"{ISSUE}/comments", json={"body": "x"}).headers
    assert "etag" not in world.client.get("/repos/octo/app/issues/999").headers
