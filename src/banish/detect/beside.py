r"""Names with their addresses beside them: ``host.example.org (192.0.2.1)``, ``host[192.0.2.1]``.

A service writes both, and ``<HOST>`` takes what comes first: the name. But a name is what the
owner of the address says it is (a PTR record); looked up again it has no address, or somebody
else's. So such a line is searched once more, with the address in the place of each such name.
"""

import re

_ADDRESS = r"(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F]{0,4}(?::[0-9a-fA-F.]{0,15}){2,8})"
_BRACKET = rf"\.?\s?(?:\[|\()\s?(?P<address>{_ADDRESS})\s?(?:\]|\))"
_beside = re.compile(_BRACKET).match
_NAMED = re.compile(rf"(?<![\w.\-])(?P<name>[\w\-.]{{1,255}}?){_BRACKET}")


def has_address_beside(text: str, end: int) -> bool:
    """Whether an address in brackets follows the name that ends at *end* in *text*."""
    return text[end : end + 3].lstrip(". ")[:1] in ("(", "[") and _beside(text, end) is not None


def with_addresses(text: str) -> tuple[str, str]:
    """Return *text* with the address for each name that has one beside it, in two ways.

    First with a word in the brackets, so that each address is there once; then with what was
    in them, for a regex that asks for an address there.
    """
    return _NAMED.sub(_moved, text), _NAMED.sub(_copied, text)


def _moved(found: re.Match[str]) -> str:
    begin, end = found.span("address")
    behind = found.string[end : found.end()]
    return found["address"] + found.string[found.end("name") : begin] + "x" + behind


def _copied(found: re.Match[str]) -> str:
    return found["address"] + found.string[found.end("name") : found.end()]
