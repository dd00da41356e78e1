"""The one place where model money is spent: model key, prices, the book, run-scoped tickets, and the artifact store.

What does not belong here: what to ask a model, what to do with its answer, and anything about GitHub or Kubernetes.
"""
