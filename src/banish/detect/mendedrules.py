r"""What is searched in place of rules of Fail2Ban's filters that are known to be wrong.

Each stands under the digest of the rule that it replaces, and says in a comment what the
service writes. `banish.detect.mended` says how they are found and why they are there.

Some lines could be due to two texts, written by two clients, and nobody can say which. A rule
that takes such a line captures the group ``mended_either``, and the line counts against nobody.
"""

from typing import Final

Edits = tuple[tuple[str, str], ...]
"""Pieces of a rule, each with what is to stand in its place."""


def _either(lines: str) -> str:
    """Return what captures ``mended_either`` where *lines* matches what is ahead."""
    return f"(?P<mended_either>(?={lines}))?"


_UNCUT = "(?!.{300})"
_UNCUT_BANNER = "(?!.{380})"
"""A banner has 200 characters, each of which sshd may write as four."""
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
_BAD_BANNER = f"^{_UNCUT_BANNER}Bad protocol version identification '.*' from <HOST>{_PORT}{_END}"
_NGINX = (
    r"^\s*\[error\] \d+#\d+: \*\d+\s+user \"[^:]*?\":?"
    r" (?:password mismatch|was not found in \"[^\"]*\"), client: <HOST>, server: "
)
_CHANGE = ": Change of username or service not allowed:"

_TWICE = r"(?P<mended_twice>.* rhost=.*) rhost=\S+\s+user=(?P=mended_twice)\s*$"
"""A name that PAM writes twice, with text in it that PAM writes itself."""
_PAM_NAMES = rf" ruser={_either(_TWICE)}<F-USER>.*?</F-USER> rhost=<HOST>(?:\s+user=(?P=user))?\s*$"
"""A name that PAM writes twice, or once."""
_PAM_ANY = (
    rf"ruser={_either(rf' rhost=.* rhost=|{_TWICE}')}<F-ALT_USER>.*</F-ALT_USER> rhost=<HOST>"
    r"(?:\s+user=<F-USER>.*</F-USER>)?\s*$"
)
"""Two names, of which the second one is a user whom the host knows."""

_VERDICT = r"\): (?:[Uu]nknown user|[Ii]nvalid credentials|[Pp]assword mismatch)"
"""What a passdb of Dovecot says of a name."""

_IN_PHP = r" in \S+\.php on line \d+ \(\S+ \S+\)"
_FORWARDED = r"(?: ?\(X-.*\))?"
"""Headers that Roundcube writes behind the address; their text is the client's."""
_TWICE_FORWARDED = _either(r".* from \S+ ?\(X-.* from \S+ ?\(X-")


def _repeated(group: str) -> str:
    """Return what matches ahead where the IMAP server says a name again, captured in *group*."""
    end = rf"{_FORWARDED}\. .* user=(?P={group}){_IN_PHP}$"
    return rf"(?P<{group}>.+) from \S+{end}"


_REQUEST = r"No matching endpoint found|Not match Endpoint(?: Contact)? ACL|"
_CALLER = (
    r"(?:(?:\"(?:[^\"\\]|\\.)*\"|[^\s\"']+) ?<\S*>|[^\s<\"]\S*|<\S*>"
    r"|(?!.*' failed for '.*' failed for ').*)"
)
"""A SIP address as PJSIP writes it, where only the quoted name has blanks."""

FAILREGEXES: Final[dict[str, str | Edits]] = {
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
    # sshd: "Disconnecting invalid user NAME A port N: Change of username or service not allowed:
    # (NAME,service) -> (OTHER,service) [preauth]". Only a name that sshd knows has no blank;
    # of any other, two such texts say nothing.
    "f19667af72c4304f": "^<F-MLFFORGET>Disconnecting</F-MLFFORGET>(?: from)?"
    r" (?:(?P<mended_known>authenticating)|invalid) user "
    rf"(?(mended_known)|{_either(f'.*{_CHANGE}.*{_CHANGE}')})"
    rf"<F-USER>(?(mended_known)\S+|.*)</F-USER> <ADDR>{_PORT}{_CHANGE}"
    r"\s.*\[preauth\]\s*$",
    # What PAM and the limit of attempts say of a name: an address at the end may be cut.
    "50a5db939b55cb4d": _PAM,
    "c8b27a7648aa0718": _PAM,
    "bb664fd558a53872": _PAM_UNKNOWN,
    "99cf5587be03c33a": _PAM_UNKNOWN,
    "f4ee4f413b6c61b0": _TOO_MANY + _RAN_OUT,
    "987f728a3a5e6c97": _TOO_MANY + "(?:invalid user )?" + _RAN_OUT,
    # What sshd says of a banner that is none, with up to 200 characters of the banner in it.
    "5269a08d25f6b200": _BAD_BANNER,
    "527dc03c3142be8d": _BAD_BANNER,
    # PAM: "ruser=NAME rhost=A  user=NAME", the second name only of a user whom the host knows.
    # In "ruser= rhost=A user=x rhost=B" both names could be a client's.
    "b4258b2d272ec35a": f"^{_PAM_ANY}",
    # What PAM says for dovecot: the name twice if there is such a user, else once.
    "f741ad368954cbb3": r"^authentication failure; logname=<F-ALT_USER1>\S*</F-ALT_USER1>"
    r" uid=\S* euid=\S* tty=dovecot" + _PAM_NAMES,
    # Dovecot: "user=<NAME>, method=M, rip=A, lip=B, session=<S>"; a name may hold ">".
    "cdecada83aa6caec": (("<F-USER>[^>]*</F-USER>", "<F-USER>.*</F-USER>"),),
    "1212850e5e21c587": (("user=<[^>]*>", "user=<.*>"),),
    # Dovecot: "pam(NAME,A,<S>): pam_authenticate() failed: why", to the end of the line
    "ee706849d20cd75b": ((r"^pam\(\S+,", r"^pam\(.*,"),),
    # Dovecot: "sql(NAME,A,<S>): unknown user", or with auth_verbose_passwords "unknown user
    # (given password: TEXT)", which never ends like the other
    "5c94ed9ce611c30b": r"^[a-z-]{3,15}\("
    + _either(rf"(?!.*{_VERDICT}\s*$).*{_VERDICT}.*{_VERDICT}")
    + rf"<F-USER>.*</F-USER>,<HOST>(?:,\S*)?{_VERDICT}",
    # What PAM says for vsftpd: as for dovecot.
    "7ee737a482901e76": r"\(?pam_unix(?:\(\S+\))?\)?:?\s+authentication failure; logname=\S*"
    r" uid=\S* euid=\S* tty=(?:ftp)?" + _PAM_NAMES,
    # vsftpd: '[pid N] [NAME] FAIL LOGIN: Client "A"', and for an anonymous user, whom it calls
    # ftp, the password behind it: ', anon password "TEXT"'. A line that could be both says nothing.
    # It also says of whom it refuses ', "User is not in the allow user list."'.
    "a98641fd51597876": r"^ \[pid \d+\] \["
    + _either(r"ftp\] FAIL LOGIN: Client \"[^\"]*\",.*\] FAIL LOGIN: Client \"")
    + r"(?:(?P<mended_anonymous>ftp)(?=\] FAIL LOGIN: Client \"[^\"]*\",)|.*)"
    r"\] FAIL LOGIN: Client \"<HOST>\""
    r"(?(mended_anonymous),.*|(?:, \"User is [^\"]*\")?\s*$)",
    # MySQL and MariaDB: "user 'NAME'@'A' (using password: YES)"; or, of a database that a user may
    # not use, "user 'NAME'@'A' to database 'TEXT'"
    "1c0be160c4d87322": r"(?:(?:\d{6}|\d{4}-\d\d-\d\d)[ T] ?\d{1,2}:\d\d:\d\d(?:\.\d+Z?)? )?"
    r"(?:\d+ )?\[\w+\] (?:\[[^\]\s]+\] )*Access denied for user"
    r" '" + _either(r"(?!.* \(using password: (?:YES|NO)\)\s*$).*'@'.*'@'") + r"<F-USER>.*</F-USER>"
    r"'@'<HOST>'"
    r"(?: \(using password: (?:YES|NO)\)| to database '.*')?\s*$",
    # Webmin: the name may be empty.
    "9535796cc608f27a": r"Non-existent login as .* from <HOST>\s*$",
    "b890b4088bfc5aa6": r"Invalid login as .* from <HOST>\s*$",
    # Courier writes "user=NAME, ip=[A], port=[N]"; names may have commas.
    "8b1cfe4fce17db6f": r"LOGIN FAILED, (?:user=<F-USER>.*</F-USER>|\w+=.*), ip=\[<HOST>\]"
    r"(?:, \w+=\[[\w.:]*\])*\s*$",
    # GitLab, SoftEther: a name may be empty, and the address is the last one.
    "7eeeebf7086ceefc": (("<F-USER>.+</F-USER>", "<F-USER>.*</F-USER>"),),
    "54d2a56046ba4b45": (('<F-USER>(?:[^"]+|.+)</F-USER>', "<F-USER>.*</F-USER>"),),
    # Monit writes "client A: unknown user 'NAME'".
    "2ba013f2010fbb83": (
        ("<F-ALT_USER>[^']+<", "<F-ALT_USER>.+<"),
        ("<F-USER>[^']*<", "<F-USER>.*<"),
    ),
    # nginx's log of requests: the address, the name, the time, the request. nginx writes a
    # quote of the client's as \x22. A name with a bracket can hide the time.
    "6deb53998fe31991": r"^<HOST> - [^\"]* \[[^\]\"]*\] \"[^\"]*\" 400\b",
    # nginx's log of errors: a name has no colon, as it ends at the first one; what follows the
    # address may be any text. No page, and no host with HTTP/1.0, is needed for a guess.
    "0c26989be6eb4686": _NGINX,
    "d351b0702af69dc4": _NGINX,
    # Roundcube: "for NAME from A (X-Forwarded-For: TEXT). ERROR in F.php on line N (POST PAGE)",
    # where the error may say the name again
    "fde226ff775e5364": rf"^(?:FAILED login|Login failed) for {_TWICE_FORWARDED}"
    rf"(?:(?={_repeated('mended_echo')})|(?!{_repeated('mended_again')}))"
    rf"<F-USER>(?(mended_echo)(?P=mended_echo)|.*)</F-USER> from <HOST>{_FORWARDED}"
    rf"(?:\. (?(mended_echo).*|(?:(?! from |\)\. ).)*){_IN_PHP})?$",
    "872bd5da20e2194f": rf"^(?:<\w+> )?Failed login for {_TWICE_FORWARDED}<F-USER>.*</F-USER>"
    rf" from <HOST>{_FORWARDED} in session \w+(?: \(error: -?\d+\))?$",
    # Asterisk quotes names and does not escape quotes in them.
    "d573b509f11dd088": (("'[^']*'", "'.*'"),),
    "f6750936e8412aa7": (("'[^']*'", "'.*'"),),
    # "Call from 'PEER' (UDP:A:5060) to extension 'TEXT'": the peer's name is of the configuration.
    "cc2503b1715f65e7": (("extension '[^']*'", "extension '.*'"),),
    # Security events: behind RemoteAddress only what SIP itself had in quotes.
    "7e4ef5788edb545f": r"^SecurityEvent=\"(?:FailedACL|InvalidAccountID|ChallengeResponseFailed"
    r"|InvalidPassword)\",.*,RemoteAddress=\"IPV[46]/[^/\"]+/<HOST>/\d+\"(?:,.*)?$",
    # PJSIP has a text in quotes before the caller, and the text of the call behind the address:
    # Request 'METHOD' from '"TEXT" <sip:NAME>' failed for 'A:5060' (callid: TEXT) - why
    "a115c858b4da5e0e": rf"^Request (?:'\S*' )?from '{_CALLER}' failed for '<HOST>(?::\d+)?'\s"
    rf"\(callid: .*\) - (?:{_REQUEST}(?:Failed|Error) to authenticate)\s*$",
    # Where the address stands first, or before the end: quotes and brackets in a name.
    # Centreon writes "[A] Authentication failed for 'NAME' : why"
    "90223bf5049d1ddf": (("'<F-USER>[^']+</F-USER>'", "'<F-USER>.*</F-USER>'"),),
    # Guacamole writes 'Authentication attempt from A for user "NAME" failed.'
    "1ac47fe1826ef0b7": (('"<F-USER>[^"]+</F-USER>"', '"<F-USER>.*</F-USER>"'),),
    # SOGo writes "Login from 'A' for user 'NAME' might not have worked"
    "abb55d0341249346": (("for user '[^']*'", "for user '.*'"),),
    # ZNC writes "[NAME] failed to login from A"
    "dc3738be944d89d3": ((r"\[[^]]+\]", r"\[.*\]"), ("<ADDR>", r"<ADDR>(?::\d+)?\s*$")),
    # ZoneMinder writes '[Login denied for user "NAME"]', behind Apache's "[client A]"
    "e6d28c431770613f": (('"<F-USER>[^"]*</F-USER>"', '"<F-USER>.*</F-USER>"'),),
    # ProFTPD writes "(h[A]): USER NAME (Login failed): why"
    "0f1335d9c0eee955": (),
    # Pure-FTPd writes "(?@A) [WARNING] Authentication failed for user [NAME]"
    "4ab4ba77fa9b452a": ((r"\(.+?@", r"\(\S+?@"),),
    # Exim writes "authenticator failed for h (HELO) [A]:N: 535 Incorrect authentication data
    # (set_id=NAME)"; "SMTP call from h [A]:N dropped: too many ... (last was "TEXT")"; and
    # "SMTP protocol error in "TEXT" H=h [A]:N AUTH command used when not advertised"
    "f77542c720f29787": (),
    "efe0025864910e48": (('"[^"]*"', '".*"'),),
    "301637b1dcdad4ee": (('"[^"]+(?:"+[^"]*(?="))*?"', '".*"'),),
    # Grafana writes uname="NAME", with a backslash before a quote, and the address at the end
    "bb65aedfd51f4e71": (('"<F-ALT_USER>[^"]+<', r'"<F-ALT_USER>(?:[^"\\]|\\.)*<'),),
    # Courier writes "error,relay=A,from=<TEXT>,to=<TEXT>: 550 User unknown."
    "0beeff2d88b343cd": (("^[^:]*: 550", "^.*: 550"),),
    # nginx writes 'by zone "ZONE", client: A, server: S, request: TEXT'
    "fcc3a0a1b49baf8d": (),
    # What PAM says for wu-ftpd: as for any service.
    "a66db125ec1ec14b": r"\(?pam_unix(?:\(\S+\))?\)?:?\s+authentication failure; logname=\S*"
    rf" uid=\S* euid=\S* tty=(?:ftp)? {_PAM_ANY}",
}
"""A digest of a rule's text, and the rule that is searched in its place."""

PREFREGEXES: Final[dict[str, str | Edits]] = {
    # Asterisk writes a place in its program before a message; what a client wrote is in quotes.
    "a92ad803642f10d0": (("(?: in)? [^:]+:", "(?: in)? [^:'\"]+:"),),
}
"""The same for a prefregex that could take a client's text for the service's front."""

IGNOREREGEXES: Final[dict[str, str | Edits]] = {
    # Roundcube: the error behind the address says so, and no name before it.
    "936c12b6d0dbfd77": rf"\. Could not connect to (?:(?! from ).)*Connection refused{_IN_PHP}\s*$",
}
"""The same for an ignoreregex that a client could trip."""

_EXIM: Final = (
    (
        r"(?::\d+)?(?: (?!H=)[A-Za-z]{1,4}(?:=\S+)?)*",
        r"(?::\d+)?(?: (?!H=)[A-Za-z]{1,4}(?:=(?:<?\"(?:[^\"\\]|\\.)*\"\S*|\S+))?)*",
    ),
)
"""Behind the address stands F=SENDER, and a sender in quotes may hold blanks and brackets."""

BY_HEAD: Final[dict[tuple[int, str], Edits]] = {
    # Exim, as Fail2Ban 1.1 reads it: "H=name (HELO) [A]:N I=[LOCAL]:N F=SENDER rejected ...". A
    # name has no bracket, and what a client calls itself stands in parentheses and has no blank,
    # so the address is the first one in brackets. The sender stands behind it.
    (124, "638e036b7b191cd1"): _EXIM,
    (130, "99637c5eb49bae66"): _EXIM,
    (141, "9bcbf317f91718f4"): _EXIM,
    (155, "d3b2c42a081c9b68"): _EXIM,
    (158, "6156f3c8c8775dcf"): _EXIM,
    (160, "15d038b7d1c1f8e7"): _EXIM,
    # Traefik's log of requests: the address first, the name or "-", the time.
    (48, "81be3635e5795e1d"): (
        (r"(?!- )<F-USER>\S+</F-USER> \[\]", r"(?!- \[)<F-USER>.*?</F-USER> \[[^\]\"]*\]"),
    ),
    # Postfix writes "RCPT from h[A]: 554 5.7.1 <TEXT>: Relay access denied": the address is the
    # first one in brackets, and what is rejected may hold ">".
    (87, "71902f4d48595c9d"): (("(?:<[^>]*>)?: ", "(?:<.*>)?: "),),
    (41, "48063f82f4c20564"): (),
    # Postfix writes "h[A]: SASL LOGIN authentication failed: TEXT"
    (32, "e53b3a20bcd955d3"): (),
    # Postfix writes "improper command pipelining after DATA from h[A]: TEXT"
    (30, "e5622eb6b5082ca7"): (("^from", "^(?:content )?from"),),
    # nginx's log of requests, with what the operator looks for. In its log of errors the path
    # stands before the address and may hold any text, as may the page behind it: a line with two
    # addresses says nothing.
    (40, "98c129a9309b96cb"): (
        (r"\- \S+ \[\]", r"\- [^\"]* \[[^\]\"]*\]"),
        (r" \S+\" 404 .+$", r"[^\"]*\" 404 .+$"),
    ),
    (161, "002f54e94eb8fddc"): (
        (
            r"(\S+ )?\"\S+\" (failed",
            _either(r".*\), client: .*\), client: ") + r"(\S+ )?\".*\" (failed",
        ),
        (r" \S+\"\, .*?$", ""),
    ),
}
"""Rules of which the operator may set the end: how many characters are always the same, a
digest of these, and what is replaced. Where that is nothing, the rule is right already, and its
address is believed."""
