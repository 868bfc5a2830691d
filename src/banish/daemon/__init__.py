"""The running server: it reads logs, decides, bans, answers its clients, and reloads."""
