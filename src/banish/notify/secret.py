"""Reads secrets from files, each time anew: they change, and none stays in memory.

A secret never stands in the configuration, which `banish config` shows, in the
arguments of a program, or in a message of ours.
"""

from pathlib import Path

from banish.errors import ActionError

SECRET_BYTES = 4_096


def read_secret(path: str) -> str:
    """Return the first line of the file *path*, without blanks around it.

    Raises:
        ActionError: There is none, or it holds what no password has.

    """
    if not path:
        raise ActionError(
            "the file with the secret is not named",
            cure="write the secret into a file and name it in the action's ..._file option",
        )
    try:
        with Path(path).open("rb") as file:
            content = file.read(SECRET_BYTES)
    except OSError as error:
        raise ActionError(
            f"the secret in {path} cannot be read: {error.strerror}",
            cure=f"write it there, readable for the user that runs banish: chmod 600 {path}",
        ) from error
    text = content.decode("utf-8", "replace").strip().partition("\n")[0].strip()
    if not text or not text.isprintable():
        raise ActionError(
            f"{path} holds no secret: its first line is empty or not plain text",
            cure="write the secret alone into its first line",
        )
    return text
