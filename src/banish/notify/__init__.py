"""Tells people and services of bans: mail, webhooks, chats, abuse reports, a firewall elsewhere.

Nothing here is in anybody's way: each action has a task of its own, and what
cannot be told now is gathered and told later, or counted as untold.
"""
