"""What services really write for a hostile text, under Fail2Ban's filters: who is counted.

Each form of a line was taken from the running service (vsftpd 3.0.3, MariaDB 10.11, Dovecot 2.3,
nginx 1.22) or from its source (Postfix, Webmin, Asterisk, PAM, Roundcube, Courier, OpenSSH).
"""

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

from banish.config import builtin_tree, filter_settings
from banish.detect import mendedrules
from banish.detect.matcher import Matcher
from banish.detect.mended import digest, head_digest, mended
from banish.detect.session import Sessions
from banish.errors import ConfigError
from banish.model.instant import Instant, Seconds
from banish.model.settings import FilterSettings

NOW = Instant(1_800_000_000)
PEER = "192.0.2.1"
VICTIM = "203.0.113.66"


@pytest.fixture(autouse=True, scope="module")
def _is_known(stock_tree: Path) -> None:
    """Skip where Fail2Ban is not 1.0, whose rules are known."""
    version = stock_tree.parents[1] / "usr/lib/python3/dist-packages/fail2ban/version.py"
    if '"1.0.' not in version.read_text("utf-8"):
        pytest.skip("the rules of another Fail2Ban may differ")


@functools.cache
def _matcher(tree: Path, spec: str) -> Matcher:
    return Matcher("j", filter_settings(spec, tree, builtin_tree()), Seconds(600))


def counted(tree: Path, spec: str, line: str) -> list[str]:
    matcher = _matcher(tree, spec)
    matcher.sessions = Sessions()
    failure = matcher.match(line, NOW, at=NOW)
    return [failure.subject.text] if failure else []


VSFTPD = f' [pid 7] [%s] FAIL LOGIN: Client "{PEER}"'
MYSQL = f"4 [Warning] Access denied for user '%s'@'{PEER}' (using password: YES)"
GRANTED = f"4 [Warning] Access denied for user 'ok'@'{PEER}' to database '%s'"
WEBMIN = f"gate webmin[7]: %s login as %s from {PEER}"
POSTFIX = "gate postfix/smtpd[7]: "
PIPELINED = f"{POSTFIX}improper command pipelining after %s from unknown[{PEER}]: %s"
REJECTED = f"{POSTFIX}NOQUEUE: reject: RCPT from h[{PEER}]: 554 5.7.1 <%s>: Relay access denied"
SASL = f"{POSTFIX}warning: h[{PEER}]: SASL LOGIN authentication failed: x, sasl_username=%s"
BAD_REQUEST = f'{PEER} - %s [%s] "%s" 400 157 "-" "-"'
BOT = f'{PEER} - %s [] "%s" 404 153 "-" "-"'
BOT_ERROR = (
    ' [error] 7#7: *1 open() "/srv/%s" failed (2: No such file or directory),'
    f' client: {PEER}, server: h, request: "%s", host: "h", referrer: "%s"'
)
NGINX = f' [error] 7#7: *1 user "%s, client: {PEER}, server: h, request: "GET %s"%s'
UNKNOWN = '" was not found in "/srv/htpasswd"'
MISMATCH = '": password mismatch'
REFERRER = f'": password mismatch, client: {VICTIM}, server: h, request: "G / HTTP/1.1", host: "h'
DOVECOT = "gate dovecot: auth-worker(7): "
LOGIN = (
    "gate dovecot: imap-login: Disconnected: Aborted login by logging out (auth failed, 1 attempts"
    f" in 2 secs): user=<%s>, method=PLAIN, rip={PEER}, lip=192.0.2.9, session=<uFdC1Iph4u1/AAAB>"
)
SQL = f"{DOVECOT}sql(%s,{PEER},<uFdC1Iph4u1/AAAB>): unknown user"
PASSDB = f"{DOVECOT}pam(%s,{PEER}): pam_authenticate() failed: Permission denied"
GIVEN = " (given password: %s)"
ASTERISK = " NOTICE[7] chan_sip.c: "
EVENT = (
    ' SECURITY[7] res_security_log.c: SecurityEvent="%s",EventTV="x",Severity="Error",'
    'Service="SIP",EventVersion="1",AccountID="%s",SessionID="%s",'
    f'LocalAddress="IPV4/UDP/192.0.2.9/5060",RemoteAddress="IPV4/UDP/{PEER}/5060"'
)
PJSIP = (
    f" NOTICE[7] res_pjsip.c: Request 'INVITE' from '%s' failed for '{PEER}:5060' (callid: %s)"
    " - No matching endpoint found"
)
PAM = "gate x: pam_unix(x:auth): authentication failure; logname= uid=0 euid=0 tty=%s ruser=%s"
WHERE = " in /a/rcube_imap.php on line 184 (POST /?_task=login)"
IMAP = f"gate roundcube: IMAP Error: Login failed for %s from {PEER}%s. %s{WHERE}"
ROUNDCUBE = f": Failed login for %s from {PEER}%s in session 1z506z6r (error: 0)"
COURIER = f"gate imapd: LOGIN FAILED, user=%s, ip=[::ffff:{PEER}]"
CHANGE = (
    f"gate sshd[7]: Disconnecting %s user %s {PEER} port 40022: Change of username or service"
    " not allowed: (%s,ssh-connection) -> (%s,ssh-connection) [preauth]"
)
BANNER = f"gate sshd[7]: Bad protocol version identification '%s' from {PEER} port 40022"

FORGED_EVENT = f'x",SessionID="",RemoteAddress="IPV4/UDP/{VICTIM}/1",Challenge="'
FORGED_CHANGE = f"q {VICTIM} port 1: Change of username or service not allowed: (q,x) -> (y,x)"

QUOTED: list[tuple[str, str, tuple[str, ...]]] = [
    (
        "centreon",
        f"|-1|0|0|[WEB] [{PEER}] Authentication failed for 'NAME' : password mismatch",
        ("x'y", "", f"x' : y [{VICTIM}] Authentication failed for 'z"),
    ),
    (
        "guacamole[logging=webapp]",
        (
            " [http-nio-8080-exec-10] WARN  o.a.g.r.auth.AuthenticationService - Authentication"
            f' attempt from {PEER} for user "NAME" failed.'
        ),
        ('x"y', "", f'x" failed. Authentication attempt from {VICTIM} for user "y'),
    ),
    (
        "sogo-auth",
        f" sogod [7]: SOGoRootPage Login from '{PEER}' for user 'NAME' might not have worked",
        ("x'y", "", f"x' Login from '{VICTIM}' for user 'y"),
    ),
    (
        "znc-adminlog",
        f"[] [NAME] failed to login from {PEER}:65001",
        ("x]y", "", f"x] failed to login from {VICTIM}"),
    ),
    (
        "zoneminder",
        f'[] [:error] [pid 7] [client {PEER}:50700] WAR [Login denied for user "NAME"], referer: x',
        ('x\\"y', "", f'x\\"] [client {VICTIM}:1] WAR [Login denied for user \\"y'),
    ),
    (
        "proftpd",
        f"gate proftpd[7] gate (h[{PEER}]): USER NAME (Login failed): Incorrect password.",
        ("x]): y", f"x (h[{VICTIM}]): USER y"),
    ),
    (
        "pure-ftpd",
        f"gate pure-ftpd: (?@{PEER}) [WARNING] Authentication failed for user [NAME]",
        ("x]", "", f"x] pure-ftpd: (?@{VICTIM}) [WARNING] Authentication failed for user [y"),
    ),
    (
        "exim",
        (
            f" login authenticator failed for h (x) [{PEER}]: 535 Incorrect authentication data"
            " (set_id=NAME)"
        ),
        ("x)", "", f"x) [{VICTIM}]: 535 Incorrect authentication data (set_id=y"),
    ),
    (
        "exim",
        (
            f" [7] SMTP call from h [{PEER}]:3767 I=[192.0.2.9]:25 dropped: too many nonmail"
            ' commands (last was "NAME")'
        ),
        ('x"y', f'x") h [{VICTIM}]:1 dropped: too many nonmail commands (last was "y'),
    ),
    (
        "exim",
        (
            f' [7] SMTP protocol error in "NAME" H=(x) [{PEER}]:60723 I=[192.0.2.9]:587 AUTH'
            " command used when not advertised"
        ),
        ('x"y', f'x" H=(y) [{VICTIM}]:1 AUTH command used when not advertised'),
    ),
    ("gitlab", f": Failed Login: username=NAME ip={PEER}", ("", f"x ip={VICTIM}")),
    (
        "softethervpn",
        (
            'Connection "CID-72": User authentication failed. The user name that has been provided'
            f' was "NAME", from {PEER}.'
        ),
        ("", 'x"y', f'x", from {VICTIM}.'),
    ),
    (
        "monit",
        f"gate monit[7]: HttpRequest: access denied -- client {PEER}: unknown user 'NAME'",
        ("x'y", f"x' HttpRequest: access denied -- client {VICTIM}: unknown user 'y"),
    ),
    (
        "traefik-auth",
        f'{PEER} - NAME [] "GET /dashboard/ HTTP/2.0" 401 17 "-" "x" 72 "y" "/" 0ms',
        ("", "- x", 'x"y', "x [y", f'{VICTIM} - x [] "GET / HTTP/2.0" 401'),
    ),
    (
        "grafana",
        (
            ' lvl=eror msg="Invalid username or password" logger=context uname="NAME"'
            f' error="Invalid Username or Password" remote_addr={PEER}'
        ),
        ('x\\"y', f'x\\" error=\\"y\\" remote_addr={VICTIM}'),
    ),
    (
        "courier-smtp",
        (
            f"gate courieresmtpd: error,relay=::ffff:{PEER},port=7,from=<NAME>,to=<x>: 550 User"
            " unknown."
        ),
        ("x: y", f"x>: 550 User unknown. error,relay={VICTIM},from=<y"),
    ),
    (
        "nginx-limit-req",
        (
            f' [error] 7#7: *1 limiting requests, excess: 1.852 by zone "one", client: {PEER},'
            ' server: h, request: "POST / HTTP/1.0", host: "h", referrer: "NAME"'
        ),
        ('x"y', f'x by zone "one", client: {VICTIM}, server: h'),
    ),
    (
        "wuftpd",
        (
            "gate wu-ftpd[7]: pam_unix(wu-ftpd:auth): authentication failure; logname= uid=0 euid=0"
            f" tty= ruser=NAME rhost={PEER}  user=NAME"
        ),
        ("x]",),
    ),
]
"""A filter, a line, and names that close what the service puts around a name."""

COUNTED = [
    *[("vsftpd", VSFTPD % name) for name in ("x", "x]", "a b", " x", f'x] FAIL LOGIN: "{VICTIM}"')],
    ("vsftpd", VSFTPD % f'x] FAIL LOGIN: Client "{VICTIM}"'),
    ("vsftpd", VSFTPD % "ftp"),
    ("vsftpd", VSFTPD % "x]" + ', "User is not in the allow user list."'),
    ("vsftpd", VSFTPD % "ftp" + ', anon password "x@example.org"'),
    *[
        ("mysqld-auth", MYSQL % name)
        for name in ("x", "", "x'", "'", "a b", f"x'@'{VICTIM}", f"x'@'{VICTIM}' to database 'y")
    ],
    ("mysqld-auth", MYSQL % f"x'@'{VICTIM}' (using password: YES)"),
    ("mysqld-auth", GRANTED % "y"),
    *[
        ("webmin-auth", WEBMIN % (kind, name))
        for kind in ("Invalid", "Non-existent")
        for name in ("x", "", " ", "a b", f"x from {VICTIM}", "x from")
    ],
    ("postfix", PIPELINED % ("AUTH", "QUIT")),
    ("postfix", PIPELINED % ("AUTH", f"from x[{VICTIM}]: y")),
    ("postfix", PIPELINED % ("DATA", f"NOQUEUE: reject: RCPT from x[{VICTIM}]: y")),
    ("postfix", PIPELINED % ("DATA content", "x")),
    ("postfix", f"{POSTFIX}too many errors after DATA content from h[{PEER}]"),
    *[("postfix", REJECTED % text) for text in ("x", "a>b", '"a>: x"@b', f"x[{VICTIM}]: y>")],
    ("postfix[mode=aggressive]", SASL % f"x y[{VICTIM}]: SASL LOGIN authentication failed: x"),
    ("postfix[mode=auth]", SASL % f"[{VICTIM}]: SASL PLAIN authentication failed: x"),
    *[
        ("nginx-bad-request", BAD_REQUEST % (name, when, request))
        for name in ("-", "a b", "a [b", "x] y", f"x [] {VICTIM}")
        for when, request in (("", "GET / HTTP/1.1"), ("01/Dec/2026:04:17:38 +0000", "a b"))
    ],
    *[
        ("nginx-botsearch", BOT % (name, request))
        for name in ("-", "a b", "x [")
        for request in ("GET /wp-login.php HTTP/1.1", "GET /wp-login.php?a,b HTTP/1.1")
    ],
    ("nginx-botsearch", BOT % ("-", "GET /wp-login.php")),
    *[
        ("nginx-botsearch", BOT_ERROR % (f"wp-login.php{path}", f"GET /wp-login.php{page}", where))
        for path, page in (("", " HTTP/1.1"), (" x", "%20x HTTP/1.1"), ("", "?a,b HTTP/1.1"))
        for where in ("x", 'a "b" c', f"client: {VICTIM}")
    ],
    *[
        ("nginx-http-auth", NGINX % (user, page, rest))
        for user in (
            f"bob{MISMATCH}",
            f"a b{UNKNOWN}",
            f'q"r{MISMATCH}',
            f'x", client{UNKNOWN}',
            f"x{UNKNOWN}, client{UNKNOWN}",
        )
        for page in ("/ HTTP/1.1", '/"x HTTP/1.1')
        for rest in ("", ', host: "h"', f', host: "h", referrer: "{REFERRER}"')
    ],
    *[
        ("dovecot", LOGIN % name)
        for name in (
            "x",
            "",
            "a b",
            "x>y",
            "x> y",
            f"x>, method=PLAIN, rip={VICTIM}, lip=192.0.2.8",
        )
    ],
    ("dovecot", LOGIN % f"x>, rip={VICTIM}, lip=192.0.2.8, session=<a"),
    *[
        ("dovecot", line % name)
        for line in (SQL, PASSDB)
        for name in ("x", "a b", "a,b", f"x,{VICTIM}): unknown user", f"x,{VICTIM}", "a) b")
    ],
    ("dovecot", PASSDB % f"x,{VICTIM}): pam_authenticate() failed: Permission denied"),
    ("dovecot", SQL % "x y" + GIVEN % "a b"),
    ("dovecot", SQL % "x" + GIVEN % f"x,{VICTIM}): unknown"),
    *[
        ("asterisk", f"{ASTERISK}Registration from '{name}' failed for '{PEER}' - Wrong password")
        for name in ("x", "x'y", f"x' failed for '{VICTIM}' - Wrong password", "a: b: c")
    ],
    *[
        ("asterisk", f"{ASTERISK}No registration for peer '{name}' (from {PEER})")
        for name in ("x", "x'y", "a: b: c", f"x' (from {VICTIM})")
    ],
    *[
        (
            "asterisk",
            (
                f"{ASTERISK}Call from '' (UDP:{PEER}:5060) to extension '{extension}' rejected"
                " because extension not found in context 'default'."
            ),
        )
        for extension in ("0", "x'y", f"x' (UDP:{VICTIM}:5060) to extension 'y")
    ],
    *[
        ("asterisk", EVENT % (event, name, session) + tail)
        for event in ("InvalidAccountID", "ChallengeResponseFailed")
        for name in ("x", "a: b: c", 'x"y', FORGED_EVENT)
        for session in ("x", ")(' [ \"++", FORGED_EVENT)
        for tail in ("", ',Challenge="",Response="a\\"b",ExpectedResponse=""')
    ],
    *[
        ("asterisk", PJSIP % (caller, call))
        for caller in (
            "<sip:x@example.org>",
            '"a b" <sip:x@example.org>',
            "sip:x'y@example.org",
            f"\"x' failed for '{VICTIM}:5060' (callid: 1) - x\" <sip:x@example.org>",
        )
        for call in ("x", "a) b", f"x' failed for '{VICTIM}:5060' (callid: y")
    ],
    *[
        ("pam-generic", PAM % (tty, name) + f" rhost={PEER}{end}")
        for tty in ("ftp", "xxx")
        for name in ("x", "", "a b", f"x rhost={VICTIM}", f"x rhost={VICTIM}  user=x", "x user=y")
        for end in ("", " ", "  user=root")
    ],
    ("pam-generic", PAM % ("ssh", "") + f" rhost={PEER}  user=a b"),
    *[
        ("roundcube-auth", IMAP % (name, forwarded, "AUTHENTICATE PLAIN: Login failed."))
        for name in (
            "x",
            "a b",
            f"x from {VICTIM}",
            f"x from {VICTIM}. y{WHERE}",
            f"x from {VICTIM} (X-Real-IP: z",
            "Could not connect to x Connection refused",
            f"x. Could not connect to x Connection refused{WHERE}",
        )
        for forwarded in ("", "(X-Real-IP: 192.0.2.3,X-Forwarded-For: 192.0.2.4)")
        if not (forwarded and "X-" in name)
    ],
    *[
        ("roundcube-auth", IMAP % ("x", f" (X-Forwarded-For: {header})", "LOGIN: no."))
        for header in ("192.0.2.3", f"a from {VICTIM}", f"a from {VICTIM}. b", "a) b")
    ],
    (
        "roundcube-auth",
        IMAP % ("x", f" (X-Forwarded-For: from {VICTIM}. b{WHERE})", "LOGIN: no."),
    ),
    (
        "roundcube-auth",
        IMAP % (f"x from {VICTIM}. y", "", f"LOGIN: no. user=x from {VICTIM}. y"),
    ),
    *[
        ("roundcube-auth", ROUNDCUBE % (name, forwarded))
        for name in ("x", f"x from {VICTIM}", f"x from {VICTIM} in session y (error: 0)")
        for forwarded in ("", f" (X-Forwarded-For: from {VICTIM})")
    ],
    (
        "roundcube-auth",
        ROUNDCUBE % ("Could not connect to x Connection refused", ""),
    ),
    *[
        ("courier-auth", COURIER % name)
        for name in ("x", "", "a, b", f", ip=[{VICTIM}] y", f"x, ip=[{VICTIM}], port=[1]")
    ],
    ("courier-auth", COURIER % f"x, ip=[{VICTIM}]" + ", port=[40022]"),
    *[
        ("sshd[mode=aggressive]", CHANGE % ("invalid", name, name, "root"))
        for name in ("x", "a b", f"x {VICTIM} port 22", "")
    ],
    ("sshd[mode=aggressive]", CHANGE % ("authenticating", "root", "root", FORGED_CHANGE)),
    *[
        (spec, line.replace("NAME", name))
        for spec, line, names in QUOTED
        for name in ("x", "a b", *names)
    ],
    *[
        ("sshd[mode=aggressive]", BANNER % banner)
        for banner in ("x", "y" * 200, f"x' from {VICTIM} port 22" + "y" * 170, "\\377" * 50)
    ],
]
"""A filter, and a line that counts against `PEER`."""

NOBODY = [
    # The password of an anonymous user, or a name.
    ("vsftpd", VSFTPD % f'ftp] FAIL LOGIN: Client "{VICTIM}", anon password "x'),
    ("vsftpd", VSFTPD % "ftp" + f', anon password "x] FAIL LOGIN: Client "{VICTIM}"'),
    # The database, asked for by somebody who is logged in.
    ("mysqld-auth", GRANTED % f"y'@'{VICTIM}"),
    ("mysqld-auth", GRANTED % f"y'@'{VICTIM}' (using password: YES)"),
    ("mysqld-auth", GRANTED % f"y'@'{VICTIM}' to database 'z"),
    # The path, or the page that it was asked from: both in the log of errors.
    (
        "nginx-botsearch",
        BOT_ERROR
        % (
            (
                f'x" failed (2: No such file or directory), client: {VICTIM}, server: h, request:'
                ' "GET /wp-login.php HTTP/1.1", host: "'
            ),
            "GET /x%22 HTTP/1.1",
            "x",
        ),
    ),
    # A name, or a password that Dovecot was told to log.
    ("dovecot", SQL % f"x,{VICTIM}): unknown user" + GIVEN % "x"),
    ("dovecot", SQL % "x" + GIVEN % f"x,{VICTIM}): unknown user"),
    # The one name that PAM writes, or the other.
    ("pam-generic", PAM % ("ssh", "") + f" rhost={PEER}  user=x rhost={VICTIM}"),
    ("pam-generic", PAM % ("ftp", f" rhost={VICTIM}  user=x") + f" rhost={PEER}"),
    # A header, or a name.
    (
        "roundcube-auth",
        IMAP % ("x", f" (X-Forwarded-For: a from {VICTIM} (X-Real-IP: b)", "LOGIN: no."),
    ),
    # The one name, or the other; the first one was counted when sshd called it invalid.
    ("sshd[mode=aggressive]", CHANGE % ("invalid", FORGED_CHANGE, FORGED_CHANGE, "root")),
    ("sshd[mode=aggressive]", CHANGE % ("invalid", "x", "x", FORGED_CHANGE)),
    # A banner that sshd has made so long that a wrong address could stand at its end.
    ("sshd[mode=aggressive]", BANNER % ("\\377" * 90)),
]
"""Lines that two texts could make alike, of which one was written from somewhere else."""

SILENT = {"sshd[mode=aggressive]"}
"""Where other lines of the session say who it was, or the end of a line is unknown."""


@pytest.mark.parametrize(("spec", "line"), COUNTED)
def test_the_client_counts_whatever_it_writes(stock_tree: Path, spec: str, line: str) -> None:
    assert counted(stock_tree, spec, line) == [PEER]


@pytest.mark.parametrize(("spec", "line"), NOBODY)
def test_a_line_that_two_clients_could_cause_counts_against_none(
    stock_tree: Path, spec: str, line: str
) -> None:
    matcher = _matcher(stock_tree, spec)
    unusable = matcher.counters.unusable
    assert counted(stock_tree, spec, line) == []
    assert matcher.counters.unusable > unusable or spec in SILENT
    matcher.sessions = Sessions()
    assert set(matcher.trace(line, NOW, NOW).readings) == {PEER, VICTIM} or spec in SILENT


ONLY_IN_1_1 = {
    "638e036b7b191cd1",
    "99637c5eb49bae66",
    "9bcbf317f91718f4",
    "d3b2c42a081c9b68",
    "6156f3c8c8775dcf",
    "15d038b7d1c1f8e7",
    *("a16be29d69d963a5", "a446a5964e134443", "270265bcc2ff5b08", "cf8b85f7ca9be85f"),
    *("c8b27a7648aa0718", "99cf5587be03c33a", "987f728a3a5e6c97", "d351b0702af69dc4"),
    "527dc03c3142be8d",
}


def _stock_filters(tree: Path) -> Iterator[FilterSettings]:
    names = sorted(file.stem for file in (tree / "filter.d").glob("*.conf"))
    modes = [
        *(f"sshd[mode={mode}]" for mode in ("normal", "ddos", "extra", "aggressive")),
        *(f"sshd[publickey={choice}]" for choice in ("any", "invalid", "ignore")),
        *(f"postfix[mode={mode}]" for mode in ("auth", "extra", "rbl", "aggressive")),
        "dovecot[mode=aggressive]",
        "guacamole[logging=webapp]",
    ]
    for spec in [name for name in names if not name.endswith("-common")] + modes:
        with contextlib.suppress(ConfigError):  # what filters have in common is none itself
            yield filter_settings(spec, tree, builtin_tree())


def test_every_mended_rule_is_one_of_the_stock_filters(stock_tree: Path) -> None:
    filters = list(_stock_filters(stock_tree))
    rules = [regex for each in filters for regex in each.failregex]
    known = {digest(regex.text) for regex in rules}
    assert known >= mendedrules.FAILREGEXES.keys() - ONLY_IN_1_1
    for size, head in mendedrules.BY_HEAD:
        assert head in ONLY_IN_1_1 | {head_digest(regex.text, size) for regex in rules}
    assert {digest(each.prefregex.text) for each in filters if each.prefregex} >= (
        mendedrules.PREFREGEXES.keys()
    )
    ignored = {digest(regex.text) for each in filters for regex in each.ignoreregex}
    assert ignored >= mendedrules.IGNOREREGEXES.keys()


@pytest.mark.parametrize("logtype", ["file", "journal", "short", "rfc5424"])
def test_a_rule_is_mended_with_every_logtype(stock_tree: Path, logtype: str) -> None:
    for name in ("vsftpd", "mysqld-auth", "webmin-auth", "courier-auth"):
        made = filter_settings(f"{name}[logtype={logtype}]", stock_tree, builtin_tree())
        assert all(mended(regex) is not regex for regex in made.failregex)


@pytest.mark.parametrize(
    ("name", "begin", "end"),
    [
        (
            "exim-spam",
            " 1Unmew-0000ea-SE",
            "rejected after DATA: This message contains a virus (x.1).",
        ),
        ("exim-spam", "", "rejected RCPT <a@b>: x is in dnsbl y"),
        ("exim", "", "rejected RCPT <a@b>: Unknown user"),
        ("exim", "", "sender verify fail for <a@b>: Unknown user"),
    ],
)
@pytest.mark.parametrize(
    "sender",
    [
        "<a@b>",
        '<"x[[203.0.113.66]]:32706 I=[1.2"@d>',
        '<"x [203.0.113.66]:3 y"@d>',
        '<"x H=y [203.0.113.66]:3 I=[1.2.3.4]:25 F=<a@b"@d>',
    ],
)
def test_no_sender_of_a_mail_to_exim_bans_somebody_else(
    stock_tree: Path, name: str, begin: str, end: str, sender: str
) -> None:
    """A sender in quotes may hold blanks and brackets (RFC 5321, 4.1.2)."""
    line = f"{begin} H=h.example (me) [192.0.2.5]:32706 I=[198.51.100.1]:25 F={sender} {end}"
    matcher = Matcher("j", filter_settings(name, stock_tree, builtin_tree()), Seconds(600))
    report = matcher.trace(line, NOW, NOW)
    assert (report.state, report.host) == ("failure", "192.0.2.5")
