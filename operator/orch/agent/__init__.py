"""What runs beside a stranger's code: one work step, from a bundle of commits to a report.

Two processes in two sandboxes: `main` talks to the model and holds the ticket, `toolserver` holds the checkout and runs
its commands; they share one socket. No credential belongs in here, nor an import that reaches one.
"""
