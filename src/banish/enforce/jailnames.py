"""Names jails in the firewall, which takes short plain names only, different for different jails.

A plain short name stays as it is. Any other gets a hash of the whole, so that the
name says which jail it is and cannot say anything else.
"""

import hashlib
from collections.abc import Callable, Iterable


def unique_names(
    jails: Iterable[str],
    *,
    is_plain: Callable[[str], bool],
    candidates: Callable[[str, str], Iterable[str]],
) -> dict[str, str]:
    """Return a name for each of *jails*, no two alike.

    *candidates* returns names of a jail that is not plain, from its name and its hash in
    hexadecimal; the first that is free is its name.
    """
    wanted = list(jails)
    names = {jail: jail for jail in wanted if is_plain(jail)}
    used = set(names.values())
    for jail in wanted:
        if jail in names:
            continue
        digest = hashlib.blake2s(jail.encode("utf-8", "surrogatepass")).hexdigest()
        name = next((name for name in candidates(jail, digest) if name not in used), None)
        if name is None:
            raise AssertionError(f"two jails hash alike: {jail!r}")
        names[jail] = name
        used.add(name)
    return names
