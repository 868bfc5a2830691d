"""Which programs a command runs, as far as its text says."""

import pytest

from banish.shell.called import called_programs


@pytest.mark.parametrize(
    ("command", "programs"),
    [
        ("/opt/a <ip>", "/opt/a"),
        ("a <ip>", "a"),
        ("/usr/bin/python3 /opt/a.py <ip>", "/usr/bin/python3 /opt/a.py*"),
        ("python3 -u /opt/a.py <ip>", "/opt/a.py* python3"),
        ("sudo -u nobody /opt/a <ip>", "/opt/a sudo"),
        ("sudo cat /etc/passwd", "sudo"),
        ("timeout 5 /opt/a <ip>", "/opt/a timeout"),
        ("python3 -c 'print(1)' /opt/a", ""),
        ("X=1 /opt/a | /opt/b && /opt/c > /opt/file", "/opt/a /opt/b /opt/c"),
        ('[ "$(/opt/a <ip>)" = yes ]', "/opt/a"),
        ("if [ -x /opt/a ]; then /opt/a <ip>; fi", "/opt/a"),
        ("test <ip> = 192.0.2.1", ""),
        ("$HOME/bin/a <ip>", ""),
        ("/opt/<F-USER> <ip>", ""),
        ("<F-USER> x", ""),
        ("", ""),
    ],
)
def test_programs_are_found_where_a_shell_runs_them(command: str, programs: str) -> None:
    found = [each.name + "*" * each.is_read for each in called_programs(command)]
    assert " ".join(found) == programs
