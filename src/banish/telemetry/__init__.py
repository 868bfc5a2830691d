"""What happens, told: log lines, counters, and whoever else listens."""
