"""JSON as every reader takes it."""

import json


def to_json(value: object) -> bytes:
    """Return *value* as JSON in ASCII, which every reader takes."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def whole(text: str) -> str:
    """Return *text* without halves of characters, which no JSON may hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
