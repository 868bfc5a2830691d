"""Carries decisions out: by firewalls (`firewalls`), commands, Python and lines of files."""
