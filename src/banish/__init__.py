"""Watches a server's logs and bans attackers in the kernel's firewall."""

__version__ = "0.1.0.dev0"
