"""Actions that keep subjects out by lines of a file, one file each."""
