"""Names every kind of action that is not run as commands, and how each is made."""

from collections.abc import Callable, Mapping

import msgspec

from banish.daemon import denyfiles
from banish.daemon.making import Making
from banish.enforce.python.action import PythonAction
from banish.model.instant import Seconds
from banish.notify.contact import Contacts
from banish.notify.lookup import SLACK, Lookup
from banish.notify.mail import Mail, MailChannel
from banish.notify.notifier import Notifier, Telling
from banish.notify.private import Reported
from banish.notify.xarf import Xarf, XarfChannel
from banish.ports import Action

Maker = Callable[[Making], Action]


def _mail(making: Making) -> Action:
    options = msgspec.convert(making.settings.options, Mail)
    lookup = Lookup(making.facts, names=options.lookup, whois=options.whois)
    return Notifier(
        making.jail,
        making.settings,
        MailChannel(options, lookup, clock=making.clock),
        telling=msgspec.convert(making.settings.options, Telling),
        whole=True,
        slack=SLACK,
        emit=making.emit,
        clock=making.clock,
    )


def _xarf(making: Making) -> Action:
    options = msgspec.convert(making.settings.options, Xarf)
    contacts = Contacts(zone=options.contacts, whois=options.whois, dns_server=options.dns_server)
    reported = making.shared.setdefault("xarf", Reported())
    assert isinstance(reported, Reported)
    return Notifier(
        making.jail,
        making.settings,
        XarfChannel(options, making.facts, contacts, reported, clock=making.clock),
        telling=Telling(digest=Seconds(0), most=1, retry=options.retry, timeout=options.timeout),
        slack=SLACK,
        emit=making.emit,
        clock=making.clock,
    )


def _chat(making: Making) -> Action:
    from banish.notify.chat import Chat, ChatChannel  # noqa: PLC0415 - an extra, slow to import

    options = msgspec.convert(making.settings.options, Chat)
    lookup = Lookup(making.facts, names=options.lookup, whois=False)
    return Notifier(
        making.jail,
        making.settings,
        ChatChannel(options, lookup),
        telling=msgspec.convert(making.settings.options, Telling),
        whole=True,
        slack=SLACK,
        emit=making.emit,
        clock=making.clock,
    )


def _python(making: Making) -> Action:
    return PythonAction(
        making.jail, making.settings, facts=making.facts, emit=making.emit, clock=making.clock
    )


def _of_the_web(making: Making) -> Action:
    from banish.daemon import webkinds  # noqa: PLC0415 - an extra, slow to import

    return webkinds.MAKERS[making.settings.kind](making)


MAKERS: Mapping[str, Maker] = {
    "hosts-deny": lambda making: denyfiles.hosts_deny(making.jail, making.settings, making.shared),
    "nginx-deny": lambda making: denyfiles.nginx_deny(making.jail, making.settings, making.shared),
    "python": _python,
    "mail": _mail,
    "xarf": _xarf,
    "chat": _chat,
    "webhook": _of_the_web,
    "abuseipdb": _of_the_web,
    "cloudflare": _of_the_web,
}
"""How the actions of each kind are made."""
