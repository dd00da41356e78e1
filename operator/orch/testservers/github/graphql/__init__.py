"""The part of GitHub's GraphQL API that `gh` uses, over the same data; fields it lacks are refused by name, as by GitHub."""

from .endpoint import routes

__all__ = ["routes"]
