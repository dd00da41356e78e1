"""What is asked of GitHub by GraphQL, because REST does not tell or offer it. Called by `forge`.

Names are those of GitHub's public schema ("Pull requests" in its GraphQL reference).
"""

from __future__ import annotations

from typing import Final

LAST_EDITED: Final = """
query ($owner: String!, $name: String!, $number: Int!) {
  repository(owner: $owner, name: $name) { issue(number: $number) { lastEditedAt } }
}
"""

_ENTRY: Final = "mergeQueueEntry { id position headCommit { oid } }"

QUEUE: Final = f"""
query ($owner: String!, $name: String!, $number: Int!) {{
  repository(owner: $owner, name: $name) {{ pullRequest(number: $number) {{
    {_ENTRY}
    timelineItems(last: 1, itemTypes: [REMOVED_FROM_MERGE_QUEUE_EVENT]) {{
      nodes {{ ... on RemovedFromMergeQueueEvent {{ id reason beforeCommit {{ oid }} }} }}
    }}
  }} }}
}}
"""

ENQUEUE: Final = f"""
mutation ($id: ID!, $sha: GitObjectID!) {{
  enqueuePullRequest(input: {{pullRequestId: $id, expectedHeadOid: $sha}}) {{ {_ENTRY} }}
}}
"""

DEQUEUE: Final = """
mutation ($id: ID!) { dequeuePullRequest(input: {id: $id}) { clientMutationId } }
"""
