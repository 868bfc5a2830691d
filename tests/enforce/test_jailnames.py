"""Names of jails that the firewall takes."""

import hashlib

import pytest

from banish.enforce.jailnames import unique_names


def short(jail: str, digest: str) -> list[str]:
    return [f"j-{digest[:1]}", f"j-{digest[:2]}"]


def test_a_plain_name_stays_and_another_gets_the_first_free_of_its_hash() -> None:
    digest = hashlib.blake2s(b"a b").hexdigest()
    plain = f"j-{digest[:1]}"
    names = unique_names(
        ["a b", plain, "a b"], is_plain=lambda jail: " " not in jail, candidates=short
    )
    assert names == {plain: plain, "a b": f"j-{digest[:2]}"}


def test_jails_that_no_name_is_left_for_are_a_bug() -> None:
    with pytest.raises(AssertionError, match="hash alike"):
        unique_names(["a b"], is_plain=lambda _: False, candidates=lambda *_: [])
