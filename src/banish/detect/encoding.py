r"""Encodings: which a log may be written in, and which can be searched before decoding."""

import codecs
import functools

from banish.errors import ConfigError


def encoding_named(name: str) -> str:
    r"""Return the codec that ``logencoding`` names; ``auto`` is UTF-8.

    Raises:
        ConfigError: There is no such encoding, or its lines do not end with the
            byte ``\n`` (UTF-16, UTF-32), so that a log cannot be cut into lines.

    """
    codec = "utf-8" if name.lower() == "auto" else name
    try:
        ends_plainly = "a\n".encode(codec) == b"a\n"
    except (LookupError, UnicodeError) as error:
        raise ConfigError(
            f'logencoding: "{name}" is not an encoding',
            cure="write a name such as utf-8 or latin-1, or leave the option out",
        ) from error
    if not ends_plainly:
        raise ConfigError(
            f'logencoding: logs in "{name}" cannot be cut into lines',
            cure="let the program write UTF-8",
        )
    return codec


@functools.cache
def bytes_of(characters: str, codec: str) -> tuple[bytes, ...] | None:
    """Return how *codec* writes those of *characters*, none of them ASCII, that it has.

    None where ASCII characters are not their own bytes, or a byte below 0x80
    may be part of another character, as in Shift-JIS, GBK and Big5: bytes of
    such a log say nothing before they are decoded. UTF-8 and the encodings of
    one byte a character are left.
    """
    if codecs.lookup(codec).name == "utf-8":
        return tuple(sorted(character.encode() for character in characters))
    every = bytes(range(256))
    try:
        decoded = [every[code : code + 1].decode(codec, "replace") for code in range(256)]
        whole = every.decode(codec, "replace")
    except UnicodeError:
        return None
    is_plain = (
        "".join(decoded) == whole
        and whole[:128].encode("ascii", "replace") == every[:128]
        and all(len(each) == 1 and ord(each) > 127 for each in decoded[128:])
    )
    if not is_plain:
        return None
    return tuple(every[code : code + 1] for code, text in enumerate(decoded) if text in characters)
