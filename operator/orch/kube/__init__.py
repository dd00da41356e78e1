"""The one door to the API server. It knows no kind of ours, decides nothing and keeps nothing: no retries, no loops."""
