"""The rules of the stock filters find in one search what they find step by step."""

from collections.abc import Iterator
from pathlib import Path

from banish.config.load import filter_settings
from banish.config.search import builtin_tree
from banish.detect.fused import fuse
from banish.detect.matcher import Matcher
from banish.errors import ConfigError
from banish.model.instant import Seconds
from tests.detect.test_fused import at_once, fixed_templates, step_by_step

MORE = ("sshd", "postfix", "dovecot", "exim")
"""Filters with a mode that has further rules."""


def matchers(root: Path) -> Iterator[tuple[str, Matcher]]:
    names = sorted(path.stem for path in (root / "filter.d").glob("*.conf"))
    for spec in (*names, *(f"{name}[mode=aggressive]" for name in MORE)):
        try:
            settings = filter_settings(spec, root, builtin_tree())
            yield spec.partition("[")[0], Matcher(spec, settings, Seconds(600))
        except ConfigError:
            continue  # a file made to be included


def test_stock_rules_find_at_once_what_they_find_step_by_step(stock_package: Path) -> None:
    logs = stock_package / "usr/lib/python3/dist-packages/fail2ban/tests/files/logs"
    rules = fused_rules = matches = 0
    for name, matcher in matchers(stock_package / "etc/fail2ban"):
        log = logs / name
        lines = log.read_text("utf-8", "replace").split("\n") if log.is_file() else []
        lines = [line for line in lines if not line.startswith("#")]
        templates = fixed_templates(matcher)
        used = [each for each in templates if any(map(each.search, lines))] or templates[:1]
        for rule in matcher.rules:
            fusions = 0
            for template in used:
                fused = fuse(template, matcher.prefregex, rule)
                if fused is None:
                    continue
                fusions += 1
                for line in lines:
                    found = at_once(fused, line)
                    assert found == step_by_step(template, matcher.prefregex, rule, line), name
                    matches += found is not None
            rules += 1
            fused_rules += fusions > 0
    print(f"{fused_rules} of {rules} rules are fused, {matches} matches are the same")
    assert fused_rules > 200
    assert matches > 500
