"""Our lines among others'."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.enforce.addons.hosts_deny import HostsDeny
from banish.enforce.addons.nginx_deny import NginxDeny
from banish.enforce.files.blocks import Blocks, Form, parse, render
from banish.model.address import Subject, parse_subject
from tests.enforce.contract import ODD_NAMES

pytestmark = pytest.mark.slow

ONE, NET, ONE6, NET6 = map(
    parse_subject, ("192.0.2.1", "192.0.2.0/25", "2001:db8::1", "2001:db8::/48")
)
FORMS: list[Form] = [HostsDeny(), NginxDeny()]


def test_a_block_reads_as_it_is_documented() -> None:
    text = render({"sshd": {ONE, NET, ONE6, NET6}}, {"sshd": "sshd vsftpd"}, b"rest", HostsDeny())
    assert text == (
        b'# banish: begin 4 "sshd"\n'
        b"sshd vsftpd: 192.0.2.0/255.255.255.128\n"
        b"sshd vsftpd: 192.0.2.1\n"
        b"sshd vsftpd: [2001:db8::]/48\n"
        b"sshd vsftpd: [2001:db8::1]\n"
        b'# banish: end "sshd"\n'
        b"rest"
    )
    assert b"deny 2001:db8::/48;\n" in render({"x": {NET6}}, {}, b"", NginxDeny())


def test_without_bans_there_is_no_block() -> None:
    assert render({"sshd": set()}, {}, b"rest", HostsDeny()) == b"rest"


SUBJECTS = st.sets(
    st.one_of(
        st.ip_addresses(v=4).map(lambda one: parse_subject(f"{one}/24")),
        st.ip_addresses().map(lambda one: parse_subject(str(one))),
        st.sampled_from([parse_subject("0.0.0.0/0"), parse_subject("::/0"), NET6]),
    ),
    min_size=1,
)
BANS = st.dictionaries(st.text(max_size=20) | st.sampled_from(ODD_NAMES), SUBJECTS, max_size=4)
OTHERS = st.lists(
    st.sampled_from([
        b"ALL: 192.0.2.1\n", b"deny 192.0.2.1;\n", b"# banish\n", b"\r\n", b"\xff: \\\n",
        b'# banish: begin 2 "x\n', b"# banish: begin 2 [1]\n", b'# banish: begin 2 1"2"\n',
    ])
).map(b"".join) | st.binary(max_size=40).map(lambda text: text.replace(b"banish", b""))  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@given(bans=BANS, rest=OTHERS)
def test_what_is_written_is_read_and_the_rest_stays(
    form: Form, bans: dict[str, set[Subject]], rest: bytes
) -> None:
    found = parse(render(bans, {}, rest, form), form)
    assert found.bans == bans
    assert found.rest == rest
    assert found.is_orderly


@pytest.mark.parametrize("form", FORMS)
@given(text=st.lists(st.sampled_from([
    b'# banish: begin 1 "a"\n', b'# banish: begin 9 "b"\n', b'# banish: end "a"\n',
    b'# banish: end "b"\n', b"ALL: 192.0.2.1\n", b"deny 192.0.2.2;\n", b"other\n", b"\n",
]), max_size=12).map(b"".join))  # fmt: skip
def test_whatever_was_done_to_our_part_an_edit_puts_it_right_and_keeps_the_rest(
    form: Form, text: bytes
) -> None:
    found = parse(text, form)
    mended = parse(render(found.bans, {}, found.rest, form), form)
    assert mended.is_orderly
    assert mended.rest == found.rest
    assert {a: b for a, b in found.bans.items() if b} == mended.bans
    kept = found.rest.splitlines(keepends=True)
    for line in (b"other\n", b"\n"):
        assert kept.count(line) == text.splitlines(keepends=True).count(line)


def test_a_line_of_others_inside_a_block_is_kept_below() -> None:
    text = (
        b'# banish: begin 2 "sshd"\nsshd: 192.0.2.1\nin.ftpd: .example.org\n'
        b'sshd: [2001:db8::1]\n# banish: end "sshd"\n'
    )
    found = parse(text, HostsDeny())
    assert found == Blocks({"sshd": frozenset({ONE, ONE6})}, b"in.ftpd: .example.org\n", False)


def test_without_an_end_no_more_lines_are_ours_than_there_were() -> None:
    text = b'# banish: begin 1 "sshd"\nsshd: 192.0.2.1\nALL: 192.0.2.1\n'
    found = parse(text, HostsDeny())
    assert found == Blocks({"sshd": frozenset({ONE})}, b"ALL: 192.0.2.1\n", False)
    text = text.replace(b"begin 1", b"begin 999999999") + b"ALL: ALL\nALL: 192.0.2.1\n"
    found = parse(text, HostsDeny())
    assert found.rest == b"ALL: ALL\nALL: 192.0.2.1\n"


def test_a_second_block_and_a_lost_end_are_out_of_order() -> None:
    block = b'# banish: begin 1 "a"\nALL: 192.0.2.1\n# banish: end "a"\n'
    other = block.replace(b".1\n", b".2\n")
    found = parse(block + other, HostsDeny())
    assert found.bans == {"a": {ONE, parse_subject("192.0.2.2")}}
    assert not found.is_orderly
    assert not parse(block + b'# banish: end "a"\n', HostsDeny()).is_orderly
    assert not parse(block.replace(b'end "a"', b'end "b"'), HostsDeny()).is_orderly
