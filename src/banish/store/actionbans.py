"""What actions did and have not undone: one row for each action and subject."""

import sqlite3
from collections.abc import Sequence

import msgspec

from banish.model.actionban import ActionBan
from banish.model.ban import Ban
from banish.store.bulk import execute
from banish.store.columns import BlobReader, from_column, to_blob, to_column

_FORGET = (
    "WITH gone (subject, kind, jail, action) AS (VALUES {rows}) DELETE FROM action_bans"
    " WHERE subject IN (SELECT subject FROM gone) AND (subject, kind, jail, action) IN"
    " (SELECT subject, kind, jail, action FROM gone)"
)
_REMEMBER = "INSERT OR REPLACE INTO action_bans (subject, kind, jail, action, ban) VALUES {rows}"

_ban = BlobReader(Ban)


def write(connection: sqlite3.Connection, changes: Sequence[ActionBan]) -> None:
    """Write *changes*, of which the last one about an action and a subject counts."""
    last = {_name(change): change for change in changes}
    execute(connection, _FORGET, [name for name, change in last.items() if change.is_ended])
    execute(
        connection,
        _REMEMBER,
        [(*name, _blob(change.ban)) for name, change in last.items() if not change.is_ended],
    )


def read(connection: sqlite3.Connection) -> tuple[ActionBan, ...]:
    """Return all that is remembered; what no version of ours wrote is left out."""
    found: list[ActionBan] = []
    for action, blob in connection.execute("SELECT action, ban FROM action_bans"):
        try:
            found.append(ActionBan(from_column(action), _ban.read(blob)))
        except ValueError:
            continue
    return tuple(found)


def _name(change: ActionBan) -> tuple[str | bytes, ...]:
    subject = change.ban.subject
    return (
        to_column(subject.text),
        subject.kind.value,
        to_column(change.ban.jail),
        to_column(change.action),
    )


def _blob(ban: Ban) -> bytes:
    """Return *ban* without its lines, which the ledger has."""
    return to_blob(msgspec.structs.replace(ban, evidence=()))
