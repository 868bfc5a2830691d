"""Sources of log lines: files that rotate, and the systemd journal."""
