"""What a command line of ``fail2ban-client`` or ``fail2ban-server`` asks for."""


class Wishes:
    """Its options, and the command behind them."""

    def __init__(self) -> None:
        self.root = ""
        """The configuration directory; empty: where it is usually found."""
        self.socket = ""
        self.dump = ""
        """``plain`` or ``pretty``; empty: no dump is wanted."""
        self.test = False
        self.is_interactive = False
        self.is_in_foreground = False
        self.verbosity = 0
        self.timeout = 60.0
        self.overrides: dict[str, str] = {}
        """Options of the server that the command line sets."""
