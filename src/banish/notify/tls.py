"""Makes what checks the certificate of a server that notifications are sent to."""

import ssl

from banish.errors import ActionError


def tls_context(ca_file: str) -> ssl.SSLContext:
    """Return what trusts the authorities in *ca_file*; empty: those that the host trusts.

    Raises:
        ActionError: The file cannot be used.

    """
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        raise ActionError(
            f"{ca_file} cannot be used: {error.strerror or error}",
            cure="put the certificate of the authority there, in PEM",
        ) from error
