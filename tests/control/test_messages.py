"""What is said over the control socket."""

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.control.messages import (
    BanRequest,
    BansReply,
    BansRequest,
    DoneReply,
    ErrorReply,
    ProtocolError,
    Reply,
    Request,
    StatusReply,
    StatusRequest,
    StopRequest,
    UnbanRequest,
    WhyRequest,
    decode_reply,
    decode_request,
    encode_reply,
    encode_request,
)
from banish.model.address import parse_subject
from banish.model.ban import Ban
from banish.model.failure import Evidence
from banish.model.instant import Instant, Seconds
from banish.model.settings import Place, Problem
from banish.model.status import EnforcementStatus, JailStatus, ServerStatus, SourceHealth

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
instants = st.floats(allow_nan=False, allow_infinity=False).map(Instant)
counts = st.integers(0, 2**53)
subjects = texts.map(parse_subject) | st.ip_addresses().map(lambda ip: parse_subject(str(ip)))
bans = st.builds(
    Ban,
    jail=texts,
    subject=subjects,
    since=instants,
    until=st.none() | instants,
    failures=counts,
    evidence=st.lists(
        st.builds(Evidence, text=texts, path=texts, offset=counts, at=instants), max_size=2
    ).map(tuple),
)
statuses = st.builds(
    ServerStatus,
    version=texts,
    pid=counts,
    started_at=instants,
    now=instants,
    root=texts,
    dry_run=st.booleans(),
    jails=st.tuples(st.builds(JailStatus, name=texts, filter=texts, banned_now=st.integers(0, 9))),
    sources=st.tuples(
        st.builds(
            SourceHealth,
            name=texts,
            state=st.sampled_from(["reading", "waiting", "failing"]),
            last_line_at=st.none() | instants,
        )
    ),
    enforcement=st.builds(EnforcementStatus, enforcer=texts, enforced=st.none() | counts),
    store=texts,
    problems=st.tuples(
        st.builds(
            Problem,
            severity=st.just("error"),
            what=texts,
            place=st.none() | st.builds(Place, path=texts, line=counts),
        )
    ),
)
requests: st.SearchStrategy[Request] = st.one_of(
    st.just(StatusRequest()),
    st.just(StopRequest()),
    st.builds(BansRequest, jail=st.none() | texts),
    st.builds(
        BanRequest,
        jail=texts,
        subjects=st.lists(texts).map(tuple),
        lasts=st.none() | instants.map(Seconds),
    ),
    st.builds(
        UnbanRequest,
        subjects=st.none() | st.lists(texts).map(tuple),
        jail=st.none() | texts,
    ),
    st.builds(WhyRequest, subject=texts),
)
replies: st.SearchStrategy[Reply] = st.one_of(
    st.just(DoneReply()),
    st.builds(StatusReply, status=statuses),
    st.builds(BansReply, bans=st.lists(bans, max_size=3).map(tuple), more=st.booleans()),
    st.builds(
        ErrorReply,
        fault=st.sampled_from(["request", "machine", "malformed", "refused", "version"]),
        what=texts,
        where=texts,
        cure=texts,
        retry=st.booleans(),
    ),
)


@given(requests)
def test_a_request_encoded_and_decoded_is_itself(request: Request) -> None:
    line = encode_request(request)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode_request(line) == request


@given(replies)
def test_a_reply_encoded_and_decoded_is_itself(reply: Reply) -> None:
    line = encode_reply(reply)
    assert line.count(b"\n") == 1
    assert decode_reply(line) == reply


@given(st.binary())
def test_arbitrary_bytes_are_a_message_or_a_protocol_error(line: bytes) -> None:
    for decode in (decode_request, decode_reply):
        with contextlib.suppress(ProtocolError):
            decode(line)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"null",
        b"\xff",
        b'{"version":1}',
        b'{"version":1,"request":{"ask":"dance"}}',
        b'{"version":1,"request":{"ask":"ban","jail":7,"subjects":[]}}',
        b'{"version":1,"x":' + b"[" * 200_000,
        b'{"version":1,"request":{"ask":"status","x":' + b'{"a":' * 200_000,
    ],
)
@pytest.mark.parametrize("decode", [decode_request, decode_reply])
def test_nonsense_is_a_protocol_error(line: bytes, decode: Callable[[bytes], object]) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode(line)
    assert not caught.value.is_foreign
    assert len(str(caught.value)) < 400


def test_another_version_is_told_apart_from_nonsense() -> None:
    with pytest.raises(ProtocolError, match=r"version 1 .* not 2") as caught:
        decode_request(b'{"version":2,"request":{"ask":"something new"}}')
    assert caught.value.is_foreign


def test_an_unknown_field_is_passed_over() -> None:
    line = b'{"version":1,"request":{"ask":"status","since":"later"},"id":7}'
    assert decode_request(line) == StatusRequest()
