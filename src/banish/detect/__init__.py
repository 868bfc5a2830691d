"""Detection: from a line of a log to the failures that it reports; pure."""
