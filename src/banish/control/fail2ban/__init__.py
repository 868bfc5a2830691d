"""What Fail2Ban's own clients ask for, answered by our server."""
