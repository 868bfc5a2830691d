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
    """Options that must not be empty; of two with a bar between them, one must not."""
    keeps_out: bool = False
    """Whether it keeps subjects out, so that it must hear of every ban and of its end."""
    needs: str = ""
    """A Python package that it cannot run without."""
    extra: str = ""
    """The extra of ours that brings that package."""


_RETRY = Option("retry", "duration", "1h", "How long a message that cannot be sent is tried again.")

COMMON = (
    Option("norestored", "boolean", "true", "Whether bans put back after a restart are passed by."),
    Option("timeout", "duration", "30s", "How long one try may take."),
)
"""Options that every kind has; ``norestored`` is no for those that keep subjects out."""


def _telling(digest: str) -> tuple[Option, ...]:
    """Return the options of kinds that tell, with how long they gather."""
    return (
        Option(
            "on", "list", "ban", "What is told: ban, unban, prolong, start and stop of the jail.",
            choices=("ban", "unban", "prolong", "start", "stop"),
        ),
        Option(
            "digest", "duration", digest,
            "After a message, so long what happens is gathered into the next one; 0: never.",
        ),
        Option(
            "most", "number", "100", "The most bans that one message shows.", least=1, most=1_000
        ),
        _RETRY,
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

_ASKING = (
    Option("ca_file", "path", "", "Whom to trust; empty: whom this host trusts."),
    Option("proxy", "url", "", "The proxy on the way; empty: none."),
)

KINDS: Mapping[str, Kind] = {
    "mail": Kind(
        "Mail about bans, gathered where there are many.",
        (
            Option("to", "mail addresses", "root", "Who gets it."),
            Option("sender", "mail addresses", "root", "Who it comes from."),
            Option("html", "boolean", "true", "Whether it has a part to look at in colour."),
            *_POSTING,
            *_LOOKING_UP,
            *_telling("5m"),
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
                "reload",
                "text",
                "nginx -qs reload",
                "Run after each change; empty: nothing is.",
            ),
        ),
        required=("file",),
        keeps_out=True,
    ),
    "webhook": Kind(
        "Bans as JSON to an address of the web, signed.",
        (
            Option("url", "url", "", "Where to; it is shown by banish config."),
            Option("url_file", "secret file", "", "In place of url, the file with it."),
            Option("secret_file", "secret file", "", "The file with the secret that signs."),
            Option("token_file", "secret file", "", "The file with a bearer token."),
            Option("lines", "number", "10", "The most log lines of one ban.", most=100),
            *_ASKING,
            *_telling("0"),
        ),
        required=("url|url_file",),
        needs="aiohttp",
        extra="web",
    ),
    "chat": Kind(
        "Short messages to chats and phones, through Apprise.",
        (
            Option("urls_file", "secret file", "", "The file with Apprise's addresses."),
            Option("lookup", "boolean", "true", "Whether the name of an address is looked up."),
            Option("lines", "number", "2", "The most log lines shown of one ban.", most=100),
            *_telling("1m"),
        ),
        required=("urls_file",),
        needs="apprise",
        extra="chat",
    ),
    "abuseipdb": Kind(
        "Reports to AbuseIPDB.",
        (
            Option("url", "url", "", "Where reports go: the API's call report, version 2."),
            Option("key_file", "secret file", "", "The file with the API key."),
            Option(
                "categories",
                "list",
                "18",
                "What the attacker did, by AbuseIPDB's numbers.",
                choices=tuple(map(str, range(1, 24))),
            ),
            Option(
                "lines",
                "number",
                "0",
                "Log lines in the report, which everybody may read; private parts are taken out.",
                most=10,
            ),
            _RETRY,
            *_ASKING,
        ),
        required=("url", "key_file", "categories"),
        needs="aiohttp",
        extra="web",
    ),
    "xarf": Kind(
        "Reports in XARF by mail, to whom the attacker's network belongs.",
        (
            Option("sender", "mail addresses", "", "Who reports, and reads the answers."),
            Option("organisation", "text", "", "What the reporter is called; empty: its domain."),
            Option("to", "mail addresses", "", "Who gets it; empty: found for each address."),
            Option("contacts", "text", "", "A DNS zone of abuse contacts; empty: none is asked."),
            Option("dns_server", "text", "", "Who is asked, as ADDRESS:PORT; empty: as this host."),
            Option("whois", "boolean", "true", "Whether the program whois is asked for contacts."),
            Option(
                "protocol",
                "choice",
                "tcp",
                "What the attack came by.",
                choices=("tcp", "udp", "icmp", "sctp"),
            ),
            Option("again", "duration", "1d", "How long an address is not reported again."),
            Option("lines", "number", "10", "The most log lines in a report.", most=100),
            *_POSTING,
            _RETRY,
        ),
        required=("sender",),
    ),
    "cloudflare": Kind(
        "Access rules or list items at Cloudflare, for sites behind it.",
        (
            Option("url", "url", "", "The root of the API, version 4."),
            Option("token_file", "secret file", "", "The file with the API token."),
            Option("zone", "text", "", "The zone that the rules are for, by its number."),
            Option("account", "text", "", "The account, by its number."),
            Option("list", "text", "", "The IP list of the account, by its number; empty: rules."),
            Option(
                "mode",
                "choice",
                "block",
                "What a rule does.",
                choices=("block", "challenge", "js_challenge", "managed_challenge"),
            ),
            Option("mark", "text", "banish", "The note by which ours are known; one a server."),
            *_ASKING,
        ),
        required=("url", "token_file", "zone|account", "mark"),
        keeps_out=True,
        needs="aiohttp",
        extra="web",
    ),
}
"""Every kind by its name."""
