"""Records and git objects as GitHub's JSON, with every field that its OpenAPI description requires; decides nothing."""
