"""The programs called by Fail2Ban's names: the same options, text and exit codes."""
