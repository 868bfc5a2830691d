"""What a command line of ``fail2ban-client`` or ``fail2ban-server`` asks for."""


class Wishes:
    """The options; loads nothing, since a ping has little time."""

    def __init__(self) -> None:
        self.root = ""
        self.socket = ""
        self.pidfile = ""
        self.dump = ""
        """``plain``, ``pretty`` or nothing."""
        self.test = False
        self.is_interactive = False
        self.is_foreground = False
        self.verbosity = 0
        self.seconds: float | None = None
        """How long an answer may take; None: any time."""
        self.overrides: dict[str, str] = {}

    def take(self, option: str, value: str) -> None:
        """Take one option.

        Raises:
            ValueError: It is no number where one is wanted.

        """
        match option:
            case "-c" | "--conf":
                self.root = value
            case "-s" | "--socket":
                self.socket = value
            case "-p" | "--pidfile":
                self.pidfile = value
            case "-d":
                self.dump = "plain"
            case "--dp" | "--dump-pretty":
                self.dump = "pretty"
            case "-t" | "--test":
                self.test = True
            case "-i":
                self.is_interactive = True
            case "-f":
                self.is_foreground = True
            case "-b":
                self.is_foreground = False
            case "-v":
                self.verbosity += 1
            case "-q":
                self.verbosity -= 1
            case "--timeout":
                self.seconds = float(value)
            case "--loglevel" | "--logtarget" | "--syslogsocket":
                self.overrides[option.removeprefix("--")] = value
            case _:
                pass  # -x, --pname, --async: of use to Fail2Ban's own server only
