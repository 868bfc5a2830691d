"""What a client or a filter's identifier says never names another address."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.filters.judge import Judge

PEER = "198.51.100.7"
pieces = st.one_of(
    st.sampled_from(
        [" rhost=203.0.113.9", " user=", "  user=x", "rhost=", "203.0.113.9", " ruser=", " ", "="]
    ),
    st.sampled_from(
        ["[sshd] Ban ", "Ban 203.0.113.9", "] ", "[", " NOTICE ", "banish.actions[1]: "]
    ),
    st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=10),
)
texts = st.lists(pieces, max_size=6).map("".join)
law = settings(max_examples=200, deadline=None)

PAM = Judge("pam-generic")
RECIDIVE = Judge("recidive")


@given(remote=texts, user=texts, module=st.sampled_from(["pam_unix", "pam_sss"]))
@law
def test_pam_names_the_peer_or_nobody(remote: str, user: str, module: str) -> None:
    line = (
        f"Nov 22 21:00:00 gate vsftpd[7]: {module}(vsftpd:auth): authentication failure;"
        f" logname= uid=0 euid=0 tty=ftp ruser={remote} rhost={PEER}  user={user}"
    )
    hosts = PAM.hosts([line])
    assert set(hosts) <= {PEER}
    assert hosts or "rhost=" in remote + user or len(line) > 500


@given(user=st.text("abcdefghijklmnop.-_0123456789", min_size=1, max_size=32))
@law
def test_pam_counts_every_plain_name(user: str) -> None:
    line = (
        f"Nov 22 21:00:00 gate ftpd[7]: pam_unix(ftpd:auth): authentication failure;"
        f" logname= uid=0 euid=0 tty=ftp ruser={user} rhost={PEER}  user={user}"
    )
    failure = PAM.read(line)
    assert failure is not None
    assert (failure.subject.text, failure.tags["user"]) == (PEER, user)


@given(text=texts)
@law
def test_an_identifier_that_looks_like_a_ban_is_none(text: str) -> None:
    front = "2026-11-22 20:00:00,123 banish.actions          [4711]: NOTICE  "
    for line in (f"{front}[ids] Ban x{text}", f"{front}[ids] Ban {text} x", f"x{front}{text}"):
        assert RECIDIVE.hosts([line]) == []
