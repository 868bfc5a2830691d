"""Tells people and services of bans: mail, webhooks, chats, abuse reports, a firewall elsewhere.

Nothing here is in anybody's way: each action has a task of its own, and what
cannot be sent now is collected and sent later, or counted as dropped.
"""
