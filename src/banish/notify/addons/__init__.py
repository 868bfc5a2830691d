"""Notifiers, one file each: options, defaults, checks and code."""
