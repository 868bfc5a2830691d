"""Stand-ins for tests: operations, enforcer and store in memory, sources, namespaces."""
