"""Takes off a value what stands around it: a comment, quotes, a comma at the end.

Fail2Ban hands lengths of time to Python's ``eval``, which forgives a comment
(``bantime = 86400 # one day`` stands in hundreds of published configurations), so
an administrator who moves over has one. Only values that cannot be read as they are
written are tidied: a ``#`` may belong to a path or to a regex.
"""

import re

from banish.config.text import Text, single

_COMMENT = re.compile(r"\s*[#;].*", re.DOTALL)
_QUOTED = re.compile(r"([\"'])(.*)\1", re.DOTALL)
_ENDS = " \t\r\n,;."


def tidied(text: Text) -> Text | None:
    """Return *text* without comment, quotes and marks at its end; None if it has none of them."""
    value = _COMMENT.sub("", text.text).strip(_ENDS)
    quoted = _QUOTED.fullmatch(value)
    if quoted is not None:
        value = quoted[2].strip(_ENDS)
    if not value or value == text.text.strip():
        return None
    return single(value, text.place)
