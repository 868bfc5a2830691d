"""Remembers across restarts: bans, windows and positions, in one SQLite file."""
