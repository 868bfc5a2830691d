"""What a file declares that adds a notifier, another kind of action, or a firewall.

One file holds all of it: options, defaults, checks and code. Nothing else lists it;
it is found by its name (`folder`).
"""
