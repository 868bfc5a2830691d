"""Carries decisions out: one file for each firewall, all behind `banish.ports.Enforcer`."""
