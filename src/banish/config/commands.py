"""What an action file comes to when it is run: its properties.

A property is an option of the action that has its say at run time: the commands,
tags put in as far as they are known before a ban, and the parameters they were
made of, tags left as written (Fail2Ban: ``ActionReader`` in
client/actionreader.py, 1.0.2). The rest of the tags is put in by
`banish.shell.script`.
"""

import re
from collections.abc import Iterator, Mapping

from banish.config.definition import Definition
from banish.config.interpolate import Tags
from banish.config.problem import Problems
from banish.config.reading import OptionReader
from banish.config.text import Text, single
from banish.config.values import TRUE_WORDS, to_span
from banish.model.instant import Seconds
from banish.model.settings import Place

COMMANDS = (
    "actionstart", "actionstart_on_demand", "actionstop", "actionflush", "actionreload",
    "actioncheck", "actionrepair", "actionrepair_on_unban", "actionban", "actionprolong",
    "actionreban", "actionunban", "norestored",
)  # fmt: skip
"""The options that every action may have, in the order Fail2Ban sends them."""

FLAGS = frozenset({"actionstart_on_demand", "actionrepair_on_unban", "norestored"})
"""Those of `COMMANDS` that are yes or no; their properties are ``true`` and ``false``."""

_LATE_TAGS = frozenset({"matches", "ipmatches", "ipjailmatches", "timeout", "bantime"})
"""Tags that are put in when somebody is banned, whatever the files say of them."""

_CONDITIONAL = re.compile(r"(\w+)\?.+")
"""``blocktype?family=inet6``: known only when somebody is banned, so its tag stays, too."""

TIMEOUT = Seconds(60)
"""How long a command may run where the action does not say."""


def named(file: str, jail: str, arguments: Mapping[str, Text], place: Place) -> dict[str, Text]:
    """Return *arguments* with ``name`` and ``actname``, which every action has.

    The action is called as its file, and where its ``name`` is not the jail's that
    is put behind: the same file may serve a jail several times.
    """
    given = dict(arguments)
    name = given.setdefault("name", single(jail, place)).text
    called = file
    if name != jail:
        called += name[len(jail) :] if name.startswith(jail) else f"-{name}"
    given.setdefault("actname", single(called, place))
    return given


def properties(definition: Definition) -> Iterator[tuple[str, Text]]:
    """Yield each property with its value, in the order Fail2Ban sends them.

    Raises:
        FaultError: A value refers to what is not there, or to itself.

    """
    given = definition.given()
    own = [option for option in COMMANDS if option not in given]
    late = {found[1] for option in given if (found := _CONDITIONAL.fullmatch(option))}
    tags = Tags(lambda name: None if name in late or name in _LATE_TAGS else definition.raw(name))
    for option in (*own, *(option for option in given if option in COMMANDS)):
        text = definition.raw(option) if option in late else tags.get(option)
        if text is not None:
            is_on = text.text.lower() in TRUE_WORDS
            said = single("true" if is_on else "false", text.place)
            yield option, said if option in FLAGS else text
    for option in given:
        if option not in COMMANDS and not option.startswith("known/"):
            text = definition.raw(option)
            if text is not None:
                yield option, text


def time_limit(found: Mapping[str, Text], problems: Problems) -> Seconds:
    """Return how long each command of an action with the properties *found* may run.

    A ``timeout`` that is not a duration is reported, and the usual one counts.
    """
    reading = OptionReader(found.get, problems)
    return reading.get("timeout", to_span, TIMEOUT)
