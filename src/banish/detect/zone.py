"""Names of time zones, as logs and ``logtimezone`` write them.

An abbreviation is a fixed distance from UTC, without summer time: ``CET`` is
one hour ahead all year, as in fail2ban/server/strptime.py, 1.1.1. Some
abbreviations have several meanings in the world; those meanings here are
Fail2Ban's where it knows the name. ``logtimezone`` may also be a name of the
IANA database (``Europe/Prague``), with its summer time.
"""

import functools
import re
from datetime import timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from banish.errors import ConfigError

_HOURS_AHEAD: Final = {
    -12: "Y",
    -11: "X NUT SST",
    -10: "W CKT HAST HST TAHT TKT",
    -9.5: "MART MIT",
    -9: "V AKST GAMT GIT HADT HNY",
    -8: "U AKDT CIST HAY HNP PST PT",
    -7: "T HAP HNR MST PDT",
    -6: "S CST EAST GALT HAR HNC MDT",
    -5: "R CDT COT EASST ECT EST ET HAC HNE PET",
    -4.5: "HLV VET",
    -4: "Q AST BOT CLT COST EDT FKT GYT HAE HNA PYT",
    -3.5: "HNT NST NT",
    -3: "P ADT ART BRT CLST FKST GFT HAA PMST PYST SRT UYT WGT",
    -2.5: "HAT NDT",
    -2: "O BRST FNT PMDT UYST WGST",
    -1: "N AZOT CVT EGT",
    0: "Z EGST GMT UTC WET WT",
    1: "A BST CET DFT WAT WEDT WEST",
    2: "B CAT CEDT CEST EET SAST WAST",
    3: "C EAT EEDT EEST IDT MSK",
    3.5: "IRST",
    4: "D AMT AZT GET GST KUYT MSD MUT RET SAMT SCT",
    4.5: "AFT IRDT",
    5: "E AMST AQTT AZST HMT MAWT MVT PKT TFT TJT TMT UZT YEKT",
    5.5: "IST SLT",
    5.75: "NPT",
    6: "F ALMT BIOT BTT IOT KGT NOVT OMST YEKST",
    6.5: "CCT MMT",
    7: "G CXT DAVT HOVT ICT KRAT NOVST OMSST THA WIB",
    8: "H ACT AWST BDT BNT CAST HKT IRKT KRAST MYT PHT SGT ULAT WITA WST",
    9: "I AWDT IRKST JST KST PWT TLT WDT WIT YAKT",
    9.5: "ACST",
    10: "K AEST CHST PGT VLAT YAKST YAPT",
    10.5: "ACDT LHST",
    11: "L AEDT LHDT MAGT NCT PONT SBT VLAST VUT",
    11.5: "NFT",
    12: "M ANAST ANAT FJT GILT MAGST MHT NZST PETST PETT TVT WFT",
    13: "FJST NZDT",
}
MINUTES_AHEAD: Final = {
    name: round(hours * 60) for hours, names in _HOURS_AHEAD.items() for name in names.split()
}
"""Minutes that each abbreviation is ahead of UTC."""

ABBREVIATION = "[A-Z](?:[A-Z]{2,4})?"
_FIXED = re.compile(rf"({ABBREVIATION})?(?:([+-])([01]\d)(?::?(\d\d))?)?", re.IGNORECASE)


QUARTER_SECONDS = 900
WIDEST_SECONDS = 27 * 3_600
"""Between the two zones that are furthest apart, and a little more (UTC-12 to UTC+14)."""

NEAR_SECONDS = 90
"""How near to whole quarters of an hour the difference of two zones must be; lines come late."""


def zone_difference(seconds: float) -> float:
    """Return the difference of two time zones that *seconds* is, about; 0 if it is none.

    Zones differ by quarters of an hour; what differs by something else is a wrong clock, or late.
    """
    quarters = round(seconds / QUARTER_SECONDS)
    whole = float(quarters * QUARTER_SECONDS)
    is_one = abs(seconds) <= WIDEST_SECONDS and abs(seconds - whole) <= NEAR_SECONDS
    return whole if is_one else 0.0


@functools.lru_cache(maxsize=256)
def fixed_zone(text: str) -> tzinfo | None:
    """Return the zone of ``+0200``, ``-03:30``, ``CET``, ``UTC+01`` or the like, else None."""
    found = _FIXED.fullmatch(text)
    if found is None or not text:
        return None
    name, sign, hours, minutes = found.groups()
    ahead = MINUTES_AHEAD.get(name.upper()) if name else 0
    if ahead is None:
        return None
    if sign:
        distance = int(hours) * 60 + int(minutes or 0)
        ahead += -distance if sign == "-" else distance
    try:
        return timezone(timedelta(minutes=ahead))
    except ValueError:
        return None


def zone_named(text: str, *, where: str = "") -> tzinfo | None:
    """Return the zone that ``logtimezone`` writes; None, the local zone, for empty text.

    Raises:
        ConfigError: There is no such zone.

    """
    text = text.strip()
    if not text:
        return None
    zone = fixed_zone(text)
    if zone is not None:
        return zone
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError) as error:
        raise ConfigError(
            f'logtimezone: "{text}" is not a time zone',
            where=where,
            cure="write a distance such as UTC+0200, or a name such as Europe/Prague",
        ) from error
