"""What happens in the server: log lines, counters, and other listeners."""
