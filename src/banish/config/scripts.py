"""Names the places of a command where a value from a log cannot stand as it is.

Commands are read as at run time (`banish.shell`), so what is said here is what
happens there.
"""

from collections.abc import Mapping

from banish.config import commands
from banish.config.problem import Problems
from banish.config.text import Text
from banish.errors import ActionError
from banish.shell.findings import findings, has_log_tag
from banish.shell.script import Script
from banish.shell.template import ActionTemplate


def check_action(found: Mapping[str, Text], problems: Problems) -> None:
    """Warn of the commands among the properties *found* of an action."""
    if not any(has_log_tag(text.text) for text in found.values()):
        return
    template = ActionTemplate({option: text.text for option, text in found.items()})
    families = ("inet4", "inet6") if template.is_conditional else ("",)
    for option in commands.COMMANDS:
        text = found.get(option)
        if text is None or option in commands.FLAGS:
            continue
        for family in families:
            try:
                script = template.script(option, family)
            except ActionError:
                continue  # reported when it is run
            check_script(option, text, script, problems)


def check_script(
    option: str, text: Text, script: Script, problems: Problems, *, effect: str = ""
) -> None:
    """Warn of the tags in *script*, the value of *option* as *text* has it.

    *effect* says what comes of a value that loses something, where not only that.
    """
    blank = len(text.text) - len(text.text.lstrip())
    first = text.text.count("\n", 0, blank) if script.text[:1] not in " \t\n" else 0
    for finding in findings(script):
        line = min(first + finding.line, len(text.places) - 1)
        problems.warn(finding.what + effect, text.places[line], option=option, cure=finding.cure)
