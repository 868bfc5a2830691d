"""The rows of the table of kinds: each option with its type, default and meaning.

The part that carries a kind out has a struct of the same options; a test holds
the two together.
"""

from collections.abc import Mapping

import msgspec

from banish.config.options import Option


class Kind(msgspec.Struct, frozen=True):
    """One kind of action."""

    meaning: str
    options: tuple[Option, ...]
    required: tuple[str, ...] = ()
    """Options that must not be empty."""
    keeps_out: bool = False
    """Whether it keeps subjects out, so that it must hear of every ban and of its end."""
    needs: str = ""
    """A Python package that it cannot run without."""
    extra: str = ""
    """The extra of ours that brings that package."""


COMMON = (
    Option("norestored", "boolean", "true", "Whether bans put back after a restart are passed by."),
    Option("timeout", "duration", "30s", "How long one try may take."),
)
"""Options that every kind has; ``norestored`` is no for those that keep subjects out."""

_TELLING = (
    Option(
        "on", "list", "ban", "What is told: ban, unban, prolong, start and stop of the jail.",
        choices=("ban", "unban", "prolong", "start", "stop"),
    ),
    Option(
        "digest", "duration", "5m",
        "After a message, so long what happens is gathered into the next one; 0: never.",
    ),
    Option("most", "number", "100", "The most bans that one message holds.", least=1, most=1_000),
    Option("retry", "duration", "1h", "How long a message that cannot be sent is tried again."),
)  # fmt: skip

_LOOKING_UP = (
    Option("lookup", "boolean", "true", "Whether the name of an address is looked up."),
    Option("whois", "boolean", "false", "Whether the program whois is asked about an address."),
    Option("lines", "number", "10", "The most log lines shown of one ban.", most=100),
)

_POSTING = (
    Option(
        "via", "choice", "sendmail", "How mail leaves: by a program, or by SMTP.",
        choices=("sendmail", "smtp"),
    ),
    Option("sendmail", "path", "/usr/sbin/sendmail", "The program that takes mail."),
    Option("host", "text", "localhost", "The SMTP server."),
    Option(
        "port", "number", "0", "Its port; 0: 25, or 587 with starttls and a user, 465 with tls.",
        most=65_535,
    ),
    Option(
        "security", "choice", "starttls",
        "Whether the way to it is encrypted: tls from the first byte, starttls before anything is "
        "said, opportunistic if it offers that, or none.",
        choices=("tls", "starttls", "opportunistic", "none"),
    ),
    Option("ca_file", "path", "", "Whom to trust; empty: whom this host trusts."),
    Option("user", "text", "", "The name to log in with; empty: without."),
    Option("password_file", "secret file", "", "The file with its password."),
)  # fmt: skip

KINDS: Mapping[str, Kind] = {
    "mail": Kind(
        "Mail about bans, gathered where there are many.",
        (
            Option("to", "mail addresses", "root", "Who gets it."),
            Option("sender", "mail addresses", "root", "Who it comes from."),
            Option("html", "boolean", "true", "Whether it has a part to look at in colour."),
            *_POSTING,
            *_LOOKING_UP,
            *_TELLING,
        ),
        required=("to",),
    ),
    "hosts-deny": Kind(
        "Lines of the TCP Wrapper's hosts.deny.",
        (
            Option("file", "path", "/etc/hosts.deny", "The file; others' lines in it stay."),
            Option("daemon_list", "list", "ALL", "The services that the banned are shut out from."),
        ),
        required=("file",),
        keeps_out=True,
    ),
    "nginx-deny": Kind(
        "Lines of a file that nginx includes.",
        (
            Option("file", "path", "/etc/nginx/banish-deny.conf", "The file to include."),
            Option(
                "reload", "text", "nginx -qs reload", "Run after each change; empty: nothing is.",
            ),
        ),
        required=("file",),
        keeps_out=True,
    ),
}
"""Every kind by its name."""
