"""The JSON that scripts read: shapes that stay, whatever becomes of our own values.

Times are RFC 3339 in UTC, lengths of time are seconds, subjects are plain text.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from banish.cli.health import Trouble
from banish.cli.pasteable import pasteable
from banish.cli.problems import ProblemRow, problem_rows
from banish.model.ban import Ban
from banish.model.instant import iso_text
from banish.model.status import JailStatus, ServerStatus, SourceHealth

Document = dict[str, Any]


def ban_document(ban: Ban) -> Document:
    """Return a ban without its evidence."""
    return {
        "subject": str(ban.subject),
        "jail": ban.jail,
        "since": iso_text(ban.since),
        "until": iso_text(ban.until),
        "failures": ban.failures,
        "count": ban.count,
        "cause": ban.cause,
    }


def evidence_document(ban: Ban) -> Document:
    """Return a ban with the lines that led to it."""
    return ban_document(ban) | {
        "rule": ban.rule or None,
        "ended": iso_text(ban.ended_at),
        "end_reason": ban.end_reason or None,
        "evidence": [
            {
                "time": iso_text(line.at),
                "path": line.path,
                "offset": line.offset,
                "text": line.text,
            }
            for line in ban.evidence
        ],
    }


def problem_document(shown: ProblemRow) -> Document:
    """Return one problem of the configuration."""
    problem = shown.problem
    return {
        "severity": problem.severity,
        "file": problem.place.path if problem.place else None,
        "line": (problem.place.line or None) if problem.place else None,
        "option": problem.option or None,
        "what": shown.what,
        "cure": pasteable(problem.cure) or None,
        "jail": problem.jail or None,
        "jails": list(shown.jails),
        "jail_runs": not problem.stops,
    }


def source_document(source: SourceHealth) -> Document:
    """Return how one log is doing."""
    return {
        "name": source.name,
        "state": source.state,
        "detail": source.detail,
        "paths": list(source.paths),
        "lines": source.lines,
        "bytes": source.bytes,
        "lag_bytes": source.lag_bytes,
        "cut_lines": source.cut_lines,
        "last_line": iso_text(source.last_line_at),
        "unread_files": source.unread_files,
        "lost_files": source.lost_files,
        "trouble": source.trouble,
        "absent": [
            {"pattern": each.pattern, "what": each.what, "was_there": each.was_there}
            for each in source.absent
        ],
    }


def jail_document(jail: JailStatus, bans: Iterable[Ban]) -> Document:
    """Return how one jail is doing; *bans* are its bans in force."""
    return {
        "name": jail.name,
        "filter": jail.filter,
        "failing": jail.failing_subjects,
        "failures": jail.failures_total,
        "failures_while_banned": jail.failures_while_banned,
        "banned": [str(ban.subject) for ban in bans],
        "bans": jail.bans_total,
        "spared": jail.exempt_total,
        "undated": jail.undated_total,
        "retimed": jail.retimed_total,
        "too_old": jail.too_old_total,
        "unusable": jail.unusable_total,
        "ignored": jail.ignored_total,
        "undecodable": jail.undecodable_total,
        "stopped": jail.stopped_total,
        "quarantined": list(jail.quarantined),
        "held_back": jail.held_total,
        "held_back_until": iso_text(jail.held_until),
        "forgotten_early": jail.evicted_total,
        "sources": list(jail.sources),
        "enforced": jail.enforced,
        "trouble": jail.trouble,
    }


def trouble_document(trouble: Trouble) -> Mapping[str, str]:
    """Return one thing that needs the operator."""
    what, cure = pasteable(trouble.what), pasteable(trouble.cure)
    return {"where": trouble.where, "what": what, "cure": cure}


def status_document(status: ServerStatus, troubles: list[Trouble], bans: Iterable[Ban]) -> Document:
    """Return how the whole server is doing; *bans* are those in force."""
    enforcement = status.enforcement
    by_jail: dict[str, list[Ban]] = {}
    for ban in bans:
        by_jail.setdefault(ban.jail, []).append(ban)
    return {
        "version": status.version,
        "pid": status.pid,
        "started": iso_text(status.started_at),
        "now": iso_text(status.now),
        "uptime": int(status.uptime),
        "configuration": status.root,
        "store": status.store,
        "dry_run": status.dry_run,
        "well": not troubles and not status.starting,
        "starting": status.starting,
        "confirm_until": iso_text(status.confirm_until),
        "returned_at": iso_text(status.returned_at),
        "jails": [jail_document(jail, by_jail.get(jail.name, ())) for jail in status.jails],
        "sources": [source_document(source) for source in status.sources],
        "enforcement": {
            "enforcer": enforcement.enforcer,
            "wanted": enforcement.wanted,
            "enforced": enforcement.enforced,
            "checked": iso_text(enforcement.checked_at),
            "repairs": enforcement.repairs,
            "trouble": enforcement.trouble,
        },
        "problems": [problem_document(each) for each in problem_rows(status.problems)],
        "troubles": [trouble_document(trouble) for trouble in troubles],
    }
