"""Bans by the programs iptables and ipset, for hosts whose kernel has no nf_tables."""
