"""A private world of network namespaces with a real OpenSSH server, for demo, tests, benchmarks.

with Lab.open() as lab:
    lab.sshd()
    lab.attacker.fail_login("root")
    lab.wait_for_line("Failed password for root")
"""

from banish.lab.accounts import Account
from banish.lab.authlog import AuthLogLine
from banish.lab.host import Host
from banish.lab.namespaces import LabError
from banish.lab.ssh import LoginAttempt, SshServer
from banish.lab.world import Lab

__all__ = ["Account", "AuthLogLine", "Host", "Lab", "LabError", "LoginAttempt", "SshServer"]
