"""What values may hold that a program reads: on its standard input, or in a here-document."""

from collections.abc import Container, Iterable, Sequence

from banish.shell import languages, programs
from banish.shell.binding import STRICT, bind
from banish.shell.slot import OPAQUE, Command, ValueRule, Word


def judge_input(
    commands: Iterable[Command],
    functions: Container[str],
    command: Command,
    name: str,
    words: Sequence[Word],
) -> None:
    """Give what a command reads the rules for it."""
    if not name or name == OPAQUE or OPAQUE in name:
        name = "an unknown program"
    feed = command.reads()
    if not feed or name in ("read", "set"):
        return
    fed = [slot for slot in feed if slot not in command.documents]
    if name in functions or languages.reads_program(name, words):
        bind(fed, *STRICT, reader=name)
        bind(command.documents, ValueRule.PROGRAM, reader=name)
        if languages.is_shell(name) or name in functions:
            bind(command.documents, ValueRule.COMMAND)
    elif languages.runs_input(name, words):
        bind(feed, *STRICT, reader=name)
    elif programs.is_mailer(name):
        bind(feed, ValueRule.TILDE)
    elif not (
        programs.takes_text(name) or languages.is_filter(name) or _is_read(commands, command)
    ):
        bind(feed, ValueRule.LINES, ValueRule.FIRST_WORD, reader=name)


def _is_read(commands: Iterable[Command], command: Command) -> bool:
    """Whether a ``read`` beside *command*, as in ``while read``, takes the input of both."""
    if command.feed is not None or command.documents or command.sources:
        return False
    reads = [each for each in commands if each.words[:1] and each.words[0].text == "read"]
    return command.group is not None and command.group in [read.group for read in reads]
