"""How the kinds of action are made that speak with services of the web.

Apart from the others, since what they import is an extra, and takes its time.
"""

from collections.abc import Callable, Mapping

import msgspec

from banish.daemon.making import Making
from banish.model.instant import Seconds
from banish.notify.abuseipdb import AbuseIpDb, AbuseIpDbChannel
from banish.notify.cloudflare import CloudflareAction
from banish.notify.edge import Cloudflare, Edge
from banish.notify.notifier import Notifier, Telling
from banish.notify.private import Reported
from banish.notify.webhook import Webhook, WebhookChannel
from banish.ports import Action


def _webhook(making: Making) -> Action:
    options = msgspec.convert(making.settings.options, Webhook)
    return Notifier(
        making.jail,
        making.settings,
        WebhookChannel(options, making.facts, clock=making.clock),
        telling=msgspec.convert(making.settings.options, Telling),
        emit=making.emit,
        clock=making.clock,
    )


def _abuseipdb(making: Making) -> Action:
    options = msgspec.convert(making.settings.options, AbuseIpDb)
    reported = making.shared.setdefault("abuseipdb", Reported())
    assert isinstance(reported, Reported)
    return Notifier(
        making.jail,
        making.settings,
        AbuseIpDbChannel(options, making.facts, reported, clock=making.clock),
        telling=Telling(digest=Seconds(0), most=1, retry=options.retry, timeout=options.timeout),
        emit=making.emit,
        clock=making.clock,
    )


def _cloudflare(making: Making) -> Action:
    options = msgspec.convert(making.settings.options, Cloudflare)
    key = f"cloudflare {options.place}"
    edge = making.shared.setdefault(key, Edge(options))
    assert isinstance(edge, Edge)
    return CloudflareAction(making.jail, making.settings, edge)


MAKERS: Mapping[str, Callable[[Making], Action]] = {
    "webhook": _webhook,
    "abuseipdb": _abuseipdb,
    "cloudflare": _cloudflare,
}
