r"""Unpacks lines by which a syslog daemon sums up equal messages.

rsyslog with ``RepeatedMsgReduction`` writes the first of equal messages, then one line for
the others: ``sshd[7]: message repeated 5 times: [ Failed password ...]`` (``ratelimit.c``).
To the regexes such a line is the message itself, and it counts 5.

The words count only where the daemon writes them: right after ``tag[pid]: ``, with the
closing bracket at the end of the line. In a user name they are text like any other. And
where a program begins its own message with a client's text, so that a client can write
them just there, nothing is won by it: the regexes search the line as it stands if they
find nothing in what is unpacked, and only the client's own failures count more.

rsyslog cuts the message to 800 bytes. Where it is as long as that, its end may be anything
that a client wrote, a wrong address too: such a line is searched as it stands.

Lines of the journal are left alone: each of its entries is one message.
"last message repeated 5 times", of other daemons, does not say which message.
"""

import re
from collections.abc import Iterator

MARK = "message repeated "
"""What every such line holds."""

MOST = 1_000
"""A line counts no more than this: more than any ``maxretry`` that is in use, and little
enough that a broken line leaves totals readable."""

CUT_BYTES = 800
"""rsyslog (``ratelimit.c``, 8.2302) writes no more of the message."""

_MARK = MARK.encode("ascii")

_WRAPPED = re.compile(
    # What is left of the header once the time was cut out of it: priority and version,
    # host, and the tag; or as RFC 5424 writes these.
    r"(?P<header>\s{0,4}(?:<[\w.]{1,32}>(?:1 )?)?\s{0,4}(?:"
    r"(?:\S{1,255} {1,2})?[^\s\[\]:]{1,255}(?:\[\d{1,10}\])?: {1,2}"
    r"|\S{1,255} [^\s\[\]:]{1,48} \S{1,128} \S{1,32} (?:-|\[[^\n]{1,255}\]) {1,2}"
    r"))message repeated (?P<times>\d{1,9}) times: \[(?P<message>.*)\][ \r]*\n?",
    re.DOTALL,
).fullmatch


def unpack(text: str) -> tuple[str, int] | None:
    r"""Return the message in *text*, behind its header, and how many failures it stands for.

    *text* is a line without its time, ended by ``\n`` or not. None: it is no such line, or
    the message in it may have been cut.
    """
    if MARK not in text:
        return None
    found = _WRAPPED(text)
    if found is None:
        return None
    if len(found["message"].encode("utf-8", "replace")) >= CUT_BYTES:
        return None
    # rsyslog repeats the message with the blank that stood before it.
    message = found["message"].removeprefix(" ")
    return f"{found['header']}{message}\n", min(max(int(found["times"]), 1), MOST)


def repeated_lines(block: bytes) -> Iterator[tuple[int, int]]:
    """Yield where lines of *block* begin and end that `unpack` may know, in their order.

    Some of them it does not; others than these it does not know in any encoding that
    writes ASCII as ASCII.
    """
    at = block.find(_MARK)
    while at >= 0:
        begin = block.rfind(b"\n", 0, at) + 1
        end = block.find(b"\n", at)
        if end < 0:
            end = len(block)
        if block[begin:end].rstrip(b" \r").endswith(b"]"):
            yield begin, end
        at = block.find(_MARK, end)
