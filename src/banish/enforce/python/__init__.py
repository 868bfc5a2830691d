"""Carries Fail2Ban's Python actions out, each in a process of its own."""
