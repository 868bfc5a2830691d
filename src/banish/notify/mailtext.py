"""Makes a mail of a report: headers, plain text, and the same to look at in colour.

The message is built by the standard library's `email`, whose policy refuses line
ends in headers; the report has none. Mail made by a program says so (RFC 3834),
so that no holiday answers come back.
"""

import html
from collections.abc import Sequence
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

from banish import __version__
from banish.model.instant import Instant
from banish.notify.report import Report, Row

SUBJECT_CHARACTERS = 200

_COLUMNS = ("what", "who", "jail", "at", "until", "failures", "bans", "name")


def compose(
    report: Report, *, sender: str, to: Sequence[str], now: Instant, with_html: bool
) -> EmailMessage:
    """Return the mail about *report*; *sender* and *to* are checked addresses."""
    message = EmailMessage(policy=SMTP.clone(linesep="\n"))
    message["Subject"] = f"[banish] {report.title}"[:SUBJECT_CHARACTERS]
    message["From"] = mail_address(sender, "banish")
    message["To"] = [mail_address(each) for each in to]
    message["Date"] = format_datetime(datetime.fromtimestamp(int(now), UTC).astimezone())
    message["Message-ID"] = make_msgid("banish", _domain(report.host))
    message["Auto-Submitted"] = "auto-generated"
    message["X-Mailer"] = f"banish {__version__}"
    message.set_content(plain(report), cte="quoted-printable")
    if with_html:
        message.add_alternative(coloured(report), subtype="html", cte="quoted-printable")
    return message


def mail_address(text: str, name: str = "") -> Address:
    """Return a checked mail address for a header."""
    user, _, domain = text.partition("@")
    return Address(name, user, domain)


def _domain(host: str) -> str:
    """Return *host* as the right side of a Message-ID, which holds no characters but these."""
    kept = "".join(
        letter for letter in host if letter.isascii() and (letter.isalnum() or letter in ".-")
    )
    return kept or "localhost"


# -- plain -----------------------------------------------------------------------


def plain(report: Report) -> str:
    """Return the text of *report*."""
    parts = [report.title[:1].upper() + report.title[1:] + "."]
    if report.facts:
        width = max(len(name) for name, _ in report.facts)
        parts.append("\n".join(f"  {name:<{width}}  {value}" for name, value in report.facts))
    if report.rows:
        parts.append(_table(report.rows))
    if report.left_out:
        parts.append(f"  and {report.left_out:,} more")
    if report.lines:
        parts.append("What the log says:")
        parts.append("\n".join(f"  {line}" for line in report.lines))
    for address, lines in report.whois:
        parts.append(f"What whois says of {address}:")
        parts.append("\n".join(f"  {line}" for line in lines))
    if report.hints:
        width = max(len(what) for what, _ in report.hints)
        parts.append("\n".join(f"{what:<{width}}  {command}" for what, command in report.hints))
    parts.append("-- \nbanish on " + report.host)
    return "\n\n".join(parts) + "\n"


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.what, row.subject, row.jail, row.at, row.until, row.failures, row.count, row.name,
    )  # fmt: skip


def _table(rows: Sequence[Row]) -> str:
    found = [_COLUMNS, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*found, strict=True)]
    return "\n".join("  " + "  ".join(map(str.ljust, cells, widths)).rstrip() for cells in found)


# -- in colour -------------------------------------------------------------------

_FONT = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_MONO = "font-family:ui-monospace,Menlo,Consolas,monospace;font-size:12px"
_TITLE = (
    "border-left:4px solid #dc2626;padding:4px 12px;margin:0 0 16px;font-size:18px;font-weight:600"
)
_HEAD = "color:#6b7280;text-align:left;font-weight:normal;white-space:nowrap"


def coloured(report: Report) -> str:
    """Return *report* as a page that needs nothing from the network, for light and dark."""
    title = html.escape(report.title[:1].upper() + report.title[1:])
    parts = [
        f'<div style="{_FONT};font-size:14px;line-height:1.5;max-width:60em">',
        f'<div style="{_TITLE}">{title}</div>',
    ]
    if report.facts:
        rows = "".join(
            f'<tr><th style="{_HEAD};padding:2px 16px 2px 0">{html.escape(name)}</th>'
            f'<td style="padding:2px 0">{html.escape(value)}</td></tr>'
            for name, value in report.facts
        )
        parts.append(f'<table style="border-collapse:collapse;margin:0 0 16px">{rows}</table>')
    if report.rows:
        parts.append(_grid(report.rows))
    if report.left_out:
        parts.append(f"<p>and {report.left_out:,} more</p>")
    if report.lines:
        parts += [_heading("What the log says"), _block(report.lines)]
    for address, lines in report.whois:
        parts += [_heading(f"What whois says of {address}"), _block(lines)]
    parts += [
        f'<div style="margin:4px 0"><span style="color:#6b7280">{html.escape(what)}:</span> '
        f'<code style="{_MONO}">{html.escape(command)}</code></div>'
        for what, command in report.hints
    ]
    foot = html.escape(f"banish on {report.host}")
    parts.append(f'<div style="color:#6b7280;font-size:12px;margin-top:16px">{foot}</div></div>')
    return (
        '<!DOCTYPE html><html><head><meta charset="utf-8">'
        '<meta name="color-scheme" content="light dark"></head><body>'
        + "\n".join(parts)
        + "</body></html>\n"
    )


def _heading(text: str) -> str:
    return f'<div style="color:#6b7280;margin:0 0 4px">{html.escape(text)}</div>'


def _block(lines: Sequence[str]) -> str:
    text = html.escape("\n".join(lines))
    style = f"{_MONO};white-space:pre-wrap;word-break:break-word;margin:0 0 16px;padding:8px 12px"
    return f'<pre style="{style};border:1px solid #9ca3af55;border-radius:4px">{text}</pre>'


def _grid(rows: Sequence[Row]) -> str:
    head = "".join(f'<th style="{_HEAD};padding:4px 12px 4px 0">{name}</th>' for name in _COLUMNS)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td style="padding:4px 12px 4px 0;border-top:1px solid #9ca3af55">'
            f"{html.escape(cell)}</td>"
            for cell in _cells(row)
        )
        + "</tr>"
        for row in rows
    )
    return (
        '<table style="border-collapse:collapse;margin:0 0 16px;font-size:13px">'
        f"<tr>{head}</tr>{body}</table>"
    )
