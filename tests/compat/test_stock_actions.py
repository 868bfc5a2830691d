"""Fail2Ban's own actions come to the same commands with us as with Fail2Ban itself."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from banish.model.settings import ActionSettings
from tests.compat.stock_actions import (
    Matched,
    Scripts,
    Step,
    original,
    ours,
    settings_of,
)
from tests.enforce.command.sandbox import Call, Sandbox

STEPS = (
    Step("start"),
    Step("ban", "192.0.2.7"),
    Step("ban", "192.0.2.8", restored=True),
    Step("ban", "2001:db8::7"),
    Step("prolong", "192.0.2.7"),
    Step("unban", "192.0.2.7"),
    Step("reban", "2001:db8::7"),
    Step("unban", "2001:db8::7"),
    Step("reload"),
    Step("flush"),
    Step("stop"),
)

PLAIN = Matched(("Failed password for bob from 192.0.2.7", "Failed again"), "bob")


HOSTILE = Matched(
    (
        "Failed password for $(touch canary) from 192.0.2.7",
        "x'; touch canary; ' \"; touch canary; \" `touch canary` | touch canary & * %s",
    ),
    "bob'$(touch canary)`touch canary`\";touch canary;",
)

ATTACKS = (
    "$(touch canary)`touch canary`",
    "';touch canary;'\";touch canary;\"",
    "a\ntouch canary\n) } | touch canary & touch canary > canary < x\nEOF\ntouch canary",
)

KNOWN_DIFFERENCES = {
    "pf": "After a failed check it really starts anew. Fail2Ban keeps what an action of no family "
    "has run under another name than the family of the ban, and so takes it for started.",
}

Played = tuple[list[list[Call]], dict[str, str]]


def action_names(root: Path) -> list[str]:
    return sorted(
        path.stem for path in (root / "action.d").glob("*.conf") if "-common" not in path.stem
    )


def played(sandbox: Sandbox, scripts: Scripts) -> Played:
    """Return which programs each step called, and the files left at the end."""
    sandbox.reset()
    calls: list[list[Call]] = []
    before = 0
    for step in scripts:
        for ran in step:
            sandbox.run(ran.text, ran.words, ran.values)
        calls.append(sandbox.calls()[before:])
        before += len(calls[-1])
    return calls, sandbox.files()


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path)


class Comparison:
    """How far the two agree."""

    def __init__(self) -> None:
        self.steps = self.equal = self.calls = 0
        self.different: list[str] = []

    def add(self, name: str, steps: Sequence[Step], theirs: Played, mine: Played) -> None:
        """Compare one action."""
        for step, wanted, got in zip(steps, theirs[0], mine[0], strict=True):
            self.steps += 1
            self.calls += len(wanted)
            if wanted == got:
                self.equal += 1
            else:
                self.different.append(f"{name} {step.verb} {step.address}:\n  {wanted}\n  {got}")
        if theirs[1] != mine[1]:
            self.different.append(f"{name} files:\n  {theirs[1]}\n  {mine[1]}")


def compared(
    package: Path,
    tree: Path,
    sandbox: Sandbox,
    steps: Sequence[Step],
    matched: Matched,
    among: Callable[[ActionSettings], bool] = lambda _settings: True,
) -> Comparison:
    """Return how far both agree on the stock actions *among* which to look."""
    names = [name for name in action_names(tree) if among(settings_of(tree, name, {}))]
    comparison = Comparison()
    given: list[tuple[str, dict[str, str]]] = [(name, {}) for name in names]
    for name, scripts in zip(names, original(package, tree, given, steps, matched), strict=True):
        mine = ours(settings_of(tree, name, {}), steps, matched)
        comparison.add(name, steps, played(sandbox, scripts), played(sandbox, mine))
    return comparison


def test_every_stock_action_calls_the_same_programs(
    stock_package: Path, stock_tree: Path, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    found = compared(stock_package, stock_tree, sandbox, STEPS, PLAIN)
    with capsys.disabled():
        print(
            f"\nstock actions: {found.equal} of {found.steps} steps agree, {found.calls} programs"
        )
    assert found.different[:3] == []
    assert found.calls > 700
    assert found.steps >= 55 * len(STEPS)


def test_every_stock_action_is_checked_and_mended_alike(
    stock_package: Path, stock_tree: Path, sandbox: Sandbox
) -> None:
    steps = (
        Step("start"),
        Step("ban", "192.0.2.7", fails=(1,)),
        Step("ban", "2001:db8::7", fails=(1, 2)),
        Step("ban", "192.0.2.8", fails=(0, 1)),
        Step("unban", "192.0.2.8", fails=(0, 1)),
        Step("check", fails=(0,)),
        Step("flush", fails=(0,)),
        Step("stop"),
    )

    def has_check(settings: ActionSettings) -> bool:
        return bool(settings.command("actioncheck"))

    found = compared(stock_package, stock_tree, sandbox, steps, PLAIN, has_check)
    known = [text for text in found.different if text.split()[0] in KNOWN_DIFFERENCES]
    assert [text for text in found.different if text not in known] == []
    assert len(known) <= len(KNOWN_DIFFERENCES)
    assert found.steps >= 15 * len(steps)


def test_with_hostile_lines_every_stock_action_does_the_same(
    stock_package: Path, stock_tree: Path, sandbox: Sandbox
) -> None:
    def shows_lines(settings: ActionSettings) -> bool:
        return any("matches>" in text for text in settings.properties.values())

    found = compared(stock_package, stock_tree, sandbox, STEPS[:4], HOSTILE, shows_lines)
    assert found.different[:3] == []
    assert found.steps >= 4 * len(STEPS[:4])


def test_a_backslash_in_a_line_is_one_in_the_mail_about_it(
    stock_tree: Path, sandbox: Sandbox
) -> None:
    # Fail2Ban's commands make a line end of it (printf %b), and some programs run "~!" lines.
    line = r"Failed password for \n~!touch canary\n from 192.0.2.7"
    settings = settings_of(stock_tree, "sendmail-whois-matches", {})
    scripts = ours(settings, (Step("ban", "192.0.2.7"),), Matched((line,), "bob"))
    calls, _ = played(sandbox, scripts)
    mails = [call.stdin for call in calls[0] if call.words[0] == "sendmail"]
    assert any(line in mail for mail in mails)


@pytest.mark.parametrize("text", ATTACKS)
def test_no_text_of_an_attacker_is_run_by_any_stock_action(
    stock_tree: Path, sandbox: Sandbox, text: str
) -> None:
    # An identifier in place of an address: then even <ip> is what the attacker wrote.
    matched = Matched((text, f"x {text}"), text)
    steps = (Step("ban", text), Step("unban", text))
    for name in action_names(stock_tree):
        for scripts in ours(settings_of(stock_tree, name, {}), steps, matched, host=text):
            for ran in scripts:
                assert "canary" not in ran.text
                sandbox.run(ran.text, ran.words, ran.values)
        assert not list(sandbox.folder.rglob("canary*")), name
    assert any("canary" in word for call in sandbox.calls() for word in call.words)
