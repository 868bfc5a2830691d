r"""Rules of Fail2Ban's own filters that a client's name gets round, and what reads them rightly.

Nothing in a line tells which reading is true where a name stands without quotes beside an
address, or why a rule does not match since a name has a blank. For rules that are widely used
it is known what the service writes, though. They are known here by their digest, and a rule of
our own is searched in their place, as long as ``ambiguous`` is ``safe``. Each was checked with
what the service really writes; docs/compatibility.md lists them.

What all have in common: a name may be any text; the address is the last one if the name stands
before it, the first one if it stands behind; and OpenSSH cuts its messages to 500 characters,
so that messages of 300 and more say nothing where the address is known by the end.
"""

import hashlib
from typing import Final

from banish.model.settings import Regex

_PREFIX_END: Final = r"(?:\[ID \d+ \S+\]\s+)?"
"""Ends what syslog writes before a message, as ``common.conf`` has it; the digest is of the
rest, since the front depends on ``logtype`` and on the daemon's name."""

DIGEST_CHARACTERS: Final = 16

_UNCUT = "(?!.{300})"
_PORT = r"(?: port \d+)?(?: on \S+)?"
_END = r"(?: \[preauth\])?\s*$"
_KEY = r"(?:: (?!from )[\w-]+ \S+:\S+)?"
"""The key behind ``ssh2``; a certificate has more words, and text of the client's."""
_GUESS = (
    r" for (?:(?P<cond_inv>invalid user )|(?!invalid user ))"
    r"<F-USER>(?(cond_inv).*|[^:]+?)</F-USER> from <HOST>" + _PORT + r"(?: ssh\d*)?"
    r"(?(cond_inv)" + _KEY + r"\s*$|(?::? |\s*$))"
)
_ENDED = r"(?:Connection (?:closed|reset)|Disconnected)"
_NAMED = r" (?:by|from)(?: (?:invalid|authenticating) user <F-USER>.*</F-USER>)? <ADDR>"
_ENDS = r"(?:Connection (?:closed|reset)|Disconnect(?:ed|(?P<cond_ing>ing)))"
"""Fail2Ban 1.1 counts "Disconnecting", too, which comes with a reason."""
_NAMES = (
    r"(?(cond_ing)| (?:by|from))(?: (?:invalid|authenticating) user"
    r" <F-USER>(?(cond_ing)[^\s:]*|.*)</F-USER>)? <ADDR>" + _PORT
)
_REASON = (
    r"(?(cond_ing): Change of username or service not allowed:"
    r" \([^\s()]*\) -> \([^\s()]*\))"
)
"""The one reason that counts. Names in it have one word, and all is read up to the end of the
line: a name that holds such a reason stands before the true one."""
_PAM = (
    f"^{_UNCUT}[aA]uthentication (?:failure|error|failed) for"
    rf" <F-USER>.*</F-USER> from <HOST>( via \S+)?{_PORT}{_END}"
)
_PAM_UNKNOWN = (
    f"^{_UNCUT}User not known to the underlying authentication module for"
    f" <F-USER>.*</F-USER> from <HOST>{_PORT}{_END}"
)
_TOO_MANY = f"^{_UNCUT}maximum authentication attempts exceeded for "
_RAN_OUT = rf"<F-USER>.*</F-USER> from <HOST>{_PORT}(?: ssh\d*)?{_END}"
_GAVE_UP = (
    f"^{_UNCUT}<F-MLFFORGET>Disconnected</F-MLFFORGET>(?: from)?"
    r" (?:invalid|authenticating) user <F-USER>.*</F-USER> <ADDR>"
    rf"{_PORT} \[preauth\]\s*$"
)
_BAD_BANNER = f"^{_UNCUT}Bad protocol version identification '.*' from <HOST>{_PORT}{_END}"
_NGINX = (
    r"^\s*\[error\] \d+#\d+: \*\d+\s+user \"(?:[^\"]+|.*?)\":?"
    r" (?:password mismatch|was not found in \"[^\"]*\"), client: <HOST>, server: \S*,"
    r" request: \"\S+ \S+ HTTP/\d+\.\d+\", host: \"\S+\"(?:, referrer: \"[^\"]*\")?\s*$"
)
_PAM_NAMES = (
    r" ruser=(?!(?P<twice>.* rhost=.*) rhost=\S+\s+user=(?P=twice)\s*$)"
    r"<F-USER>.*?</F-USER> rhost=<HOST>(?:\s+user=(?P=user))?\s*$"
)
"""A name that PAM writes twice, or once. Where a line can be read as both, it says nothing."""

MENDED: Final = {
    # What sshd says of a key that it refuses: the name, "from", the address, the key.
    "d7bf7589289303fc": f"^{_UNCUT}Failed publickey for invalid user <F-USER>.*</F-USER>"
    rf" from <HOST>{_PORT}(?: ssh\d*)?{_KEY}\s*$",
    # sshd: "Failed password for invalid user NAME from A port N ssh2", in three modes of publickey
    "9da102805391e188": rf"^Failed (?:<F-NOFAIL>publickey</F-NOFAIL>|\S+){_GUESS}",
    "5de02d32b4ea586c": rf"^Failed \S+{_GUESS}",
    "202c3876ed99670d": rf"^Failed (?!publickey)\S+{_GUESS}",
    # sshd: "Connection closed by invalid user NAME A port N [preauth]", in the modes that count
    # it and in those that learn from it
    "b4add7f6ed6e3e46": f"^{_UNCUT}<F-NOFAIL><F-MLFFORGET>{_ENDED}</F-MLFFORGET></F-NOFAIL>"
    f"{_NAMED}{_PORT}{_END}",
    "805f643283ae5c3e": rf"^{_UNCUT}<F-MLFFORGET>{_ENDED}</F-MLFFORGET>{_NAMED}{_PORT}"
    r" \[preauth\]\s*$",
    "b7678f91bf889548": f"^{_UNCUT}<F-NOFAIL><F-MLFFORGET>{_ENDED}</F-MLFFORGET></F-NOFAIL>"
    rf"{_NAMED}{_PORT}\s*$",
    "5116c0396f3ac897": _GAVE_UP,
    "cf8b85f7ca9be85f": _GAVE_UP,
    # The same in Fail2Ban 1.1.
    "a16be29d69d963a5": f"^{_UNCUT}<F-NOFAIL><F-MLFFORGET>{_ENDS}</F-MLFFORGET></F-NOFAIL>"
    f"{_NAMES}{_REASON}{_END}",
    "a446a5964e134443": f"^{_UNCUT}<F-MLFFORGET>{_ENDS}</F-MLFFORGET>{_NAMES}{_REASON}"
    r"\s+\[preauth\]\s*$",
    "270265bcc2ff5b08": f"^{_UNCUT}<F-NOFAIL><F-MLFFORGET>{_ENDS}</F-MLFFORGET></F-NOFAIL>"
    rf"{_NAMES}{_REASON}\s*$",
    # What PAM and the limit of attempts say of a name: an address at the end may be cut.
    "50a5db939b55cb4d": _PAM,
    "c8b27a7648aa0718": _PAM,
    "bb664fd558a53872": _PAM_UNKNOWN,
    "99cf5587be03c33a": _PAM_UNKNOWN,
    "f4ee4f413b6c61b0": _TOO_MANY + _RAN_OUT,
    "987f728a3a5e6c97": _TOO_MANY + "(?:invalid user )?" + _RAN_OUT,
    # What PAM says for dovecot: the name twice if there is such a user, else once.
    "f741ad368954cbb3": r"^authentication failure; logname=<F-ALT_USER1>\S*</F-ALT_USER1>"
    r" uid=\S* euid=\S* tty=dovecot" + _PAM_NAMES,
    # What PAM says for vsftpd: as for dovecot.
    "7ee737a482901e76": r"\(?pam_unix(?:\(\S+\))?\)?:?\s+authentication failure; logname=\S*"
    r" uid=\S* euid=\S* tty=(?:ftp)?" + _PAM_NAMES,
    # Traefik's log of requests: the address first, a name may have blanks.
    "39c718f51f196021": r"^<HOST> - (?!- )<F-USER>.+?</F-USER> \[\] \"\S+ [^\"]+\" 401\b",
    # nginx's log of errors: a client may write blanks into the page that it says it comes from.
    "0c26989be6eb4686": _NGINX,
    "d351b0702af69dc4": _NGINX,
    # What sshd says of a banner that is none, with the banner in it.
    "5269a08d25f6b200": _BAD_BANNER,
    "527dc03c3142be8d": _BAD_BANNER,
}
"""A digest of a rule's text, and the rule that is searched in its place."""


def mended(regex: Regex) -> Regex:
    """Return what is searched for *regex*: itself, unless it is known to be wrong."""
    front, separator, _ = regex.text.rpartition(_PREFIX_END)
    text = MENDED.get(digest(regex.text))
    return regex if text is None else Regex(front + separator + text, regex.place)


def digest(text: str) -> str:
    """Return what the rule *text* is known by in `MENDED`."""
    return hashlib.sha256(text.rpartition(_PREFIX_END)[2].encode()).hexdigest()[:DIGEST_CHARACTERS]
