"""What a person types: the verbs and their options, a module for each group. The work is imported when a verb runs, so
that help and completion stay quick. Nothing here asks a server."""
