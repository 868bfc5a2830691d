"""Firewalls, one file each, all behind `banish.ports.Enforcer`."""
