"""The control loop: what wakes a reconciler, when, and what happens when it fails. It knows no kind of ours."""
