"""Asking a running server: messages, the Unix socket's server and its client."""
