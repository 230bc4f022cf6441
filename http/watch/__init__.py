"""``incident-manager watch``: the incidents in a terminal, live, through restarts of the server."""
