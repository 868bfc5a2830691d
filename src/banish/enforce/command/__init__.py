"""Carries Fail2Ban actions out as the commands they are."""
