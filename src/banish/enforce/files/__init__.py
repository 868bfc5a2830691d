"""Bans as lines of a file that other programs read: hosts.deny, nginx."""
