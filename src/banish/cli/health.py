"""What, in a server's status, needs the operator."""

from typing import NamedTuple

from banish.cli.problems import problem_rows
from banish.model.status import JailStatus, ServerStatus, SourceHealth
from banish.telemetry.clocktext import clock_text


class Trouble(NamedTuple):
    """One thing that is not as it should be."""

    where: str
    what: str
    cure: str = ""


def of_source(source: SourceHealth) -> Trouble | None:
    """Return what is wrong with a log; one that is not there is its jails' trouble."""
    if source.state != "failing":
        what, _, cure = source.trouble.partition("\n")
        what = what.removeprefix(f"the log {source.name} ")
        return Trouble(source.name, what, cure.strip()) if what else None
    what, _, cure = source.detail.removeprefix(f"{source.name}: ").partition("\n")
    return Trouble(source.name, what or "cannot be read", cure.strip())


def of_jail(jail: JailStatus) -> Trouble | None:
    """Return what is wrong with a jail."""
    if not jail.trouble:
        return None
    what, _, cure = jail.trouble.partition("\n")
    return Trouble(f"jail {jail.name}", what, cure.strip())


def of_firewall(status: ServerStatus) -> Trouble | None:
    """Return what is wrong with enforcement: an error, or bans the kernel does not hold."""
    enforcement = status.enforcement
    if enforcement.trouble:
        what, _, cure = enforcement.trouble.partition("\n")
        return Trouble("firewall", what, cure.strip())
    if enforcement.enforced is not None and enforcement.enforced < enforcement.wanted:
        short = enforcement.wanted - enforcement.enforced
        return Trouble("firewall", f"{short} of {enforcement.wanted} bans are not in the kernel")
    return None


def of_store(status: ServerStatus) -> Trouble | None:
    """Return why the database cannot be written."""
    if not status.store_trouble:
        return None
    what, _, cure = status.store_trouble.partition("\n")
    return Trouble("database", what, cure.strip())


def of_parts(status: ServerStatus) -> list[Trouble]:
    """Return what is wrong with other parts of the server, such as its pid file."""
    found = []
    for trouble in status.troubles:
        what, _, cure = trouble.what.partition("\n")
        found.append(Trouble(trouble.part, what, cure.strip()))
    return found


def of_running(status: ServerStatus) -> list[Trouble]:
    """Return what the server itself finds wrong, besides its firewall and configuration."""
    found: list[Trouble | None] = [of_store(status), *of_parts(status)]
    found += map(of_jail, status.jails)
    known = "\n".join(jail.trouble for jail in status.jails)
    found += [of_source(source) for source in status.sources if source.detail not in known]
    return [trouble for trouble in found if trouble is not None]


def troubles(status: ServerStatus) -> list[Trouble]:
    """Return everything that needs the operator, the firewall first."""
    firewall = of_firewall(status)
    found = [] if firewall is None else [firewall]
    if not status.jails:
        what, cure = "no jail runs, so nothing is watched and nobody is banned", "banish check"
        found.append(Trouble("jails", what, cure))
    if status.returned_at is not None:
        when = clock_text(status.returned_at)
        what = f"nobody confirmed the last reload, and the files hold what was undone at {when}"
        found.append(Trouble("configuration", what, "correct the files, then 'banish reload'"))
    found += of_running(status)
    for each in problem_rows(status.problems):
        problem = each.problem
        if problem.severity == "error":
            where = f"{problem.place}" if problem.place else "configuration"
            option = f"{problem.option}: " if problem.option else ""
            found.append(Trouble(where, f"{option}{each.what}", problem.cure))
    return found
