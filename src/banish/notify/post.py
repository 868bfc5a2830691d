"""Hands mail on: to a local program that takes mail, or to a server by SMTP."""

import asyncio
import contextlib
import functools
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from typing import Annotated, Literal

import msgspec

from banish.addon.options import Bounds, FilePath, SecretFile
from banish.errors import ActionError
from banish.model.instant import Seconds
from banish.notify import program
from banish.notify.secret import read_secret
from banish.notify.tls import tls_context
from banish.notify.wording import line

Security = Literal["tls", "starttls", "opportunistic", "none"]

SHOWN_CHARACTERS = 300
"""How much of what a program or a server said is shown."""


class MailOptions(msgspec.Struct, frozen=True):
    """The options of notifiers that send mail."""

    via: Annotated[Literal["sendmail", "smtp"], "How mail leaves: by a program, or by SMTP."] = (
        "sendmail"
    )
    sendmail: Annotated[FilePath, "The program that takes mail."] = "/usr/sbin/sendmail"
    host: Annotated[str, "The SMTP server."] = "localhost"
    port: Annotated[
        int,
        "Its port; 0: 25, or 587 with starttls and a user, 465 with tls.",
        Bounds(most=65_535),
    ] = 0
    security: Annotated[
        Security,
        "Whether the way to it is encrypted: tls from the first byte, starttls before anything is "
        "said, opportunistic if it offers that, or none.",
    ] = "starttls"
    ca_file: Annotated[FilePath, "Whom to trust; empty: whom this host trusts."] = ""
    user: Annotated[str, "The name to log in with; empty: without."] = ""
    password_file: Annotated[SecretFile, "The file with its password."] = ""
    timeout: Seconds = Seconds(30)

    @property
    def smtp_port(self) -> int:
        """The port that is meant."""
        if self.port:
            return self.port
        if self.security == "tls":
            return 465
        return 587 if self.user else 25


async def post(message: EmailMessage, *, sender: str, to: Sequence[str], how: MailOptions) -> None:
    """Send *message* from the address *sender* to the addresses *to*.

    Raises:
        ActionError: It was not taken; ``retry`` is false where it never will be.

    """
    if how.via == "sendmail":
        await _by_program(message, sender, to, how)
    else:
        await _by_smtp(message, sender, to, how)


# -- by a program ----------------------------------------------------------------


async def _by_program(
    message: EmailMessage, sender: str, to: Sequence[str], how: MailOptions
) -> None:
    # -i: a line of a single point does not end the message.
    words = [how.sendmail, "-i", *(["-f", sender] if "@" in sender else []), *to]
    try:
        ended = await program.run(words, given=message.as_bytes())
    except OSError as error:
        raise ActionError(
            f"{how.sendmail} cannot be started: {error.strerror}",
            cure="install a mail server, name its program with sendmail=, or use via=smtp",
        ) from error
    if ended.code:
        said = line(" ".join(ended.output.decode("utf-8", "replace").split()), SHOWN_CHARACTERS)
        raise ActionError(
            f"{how.sendmail} did not accept the mail (exit code {ended.code}): {said}",
            cure="see the log of the mail server on this host",
        )


# -- by SMTP ---------------------------------------------------------------------


class _Call:
    """One conversation in a thread, which ends soon after somebody hangs up."""

    def __init__(self, how: MailOptions) -> None:
        self._how = how
        self._lock = threading.Lock()
        self._is_over = False
        self._client: smtplib.SMTP | None = None

    def hang_up(self) -> None:
        """End the conversation from another thread, whatever it waits for."""
        with self._lock:
            self._is_over = True
            wire = self._client.sock if self._client is not None else None
            if wire is not None:
                with contextlib.suppress(OSError):
                    wire.shutdown(socket.SHUT_RDWR)

    def send(self, message: EmailMessage, sender: str, to: Sequence[str]) -> None:
        """Say everything that is to be said."""
        how = self._how
        # The machine's own name is looked up in DNS where none is given.
        name = socket.gethostname() or "localhost"
        context = _context(how)
        if how.security == "tls":
            client: smtplib.SMTP = smtplib.SMTP_SSL(
                local_hostname=name, timeout=how.timeout, context=context
            )
        else:
            client = smtplib.SMTP(local_hostname=name, timeout=how.timeout)
        # smtplib tells TLS whom it expects by the host given at the beginning.
        client._host = how.host  # type: ignore[attr-defined]  # noqa: SLF001
        try:
            client.connect(how.host, how.smtp_port)
            with self._lock:
                self._client = client
                if self._is_over:
                    return
            client.ehlo()
            offers = client.has_extn("starttls")
            if how.security == "starttls" or (how.security == "opportunistic" and offers):
                client.starttls(context=context)
                client.ehlo()
            if how.user:
                client.login(how.user, read_secret(how.password_file))
            client.send_message(message, sender, list(to))
            with contextlib.suppress(smtplib.SMTPException):
                client.quit()
        finally:
            client.close()


def _context(how: MailOptions) -> ssl.SSLContext:
    context = tls_context(how.ca_file)
    if how.security == "opportunistic":
        # Better than nothing against those who only listen; RFC 7435.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def _by_smtp(message: EmailMessage, sender: str, to: Sequence[str], how: MailOptions) -> None:
    call = _Call(how)
    try:
        await _in_thread(functools.partial(call.send, message, sender, to))
    except asyncio.CancelledError:
        call.hang_up()
        raise
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise _translated(error, how) from error


async def _in_thread(work: Callable[[], None]) -> None:
    """Do *work* in a thread of its own, which nobody waits for once this was cancelled.

    The threads that asyncio shares are few, others need them, and the program waits
    for them at its end; a name server that is silent would hold them all.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def tell(error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    def run() -> None:
        failed: BaseException | None = None
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            failed = error
        with contextlib.suppress(RuntimeError):  # the loop is closed by now
            loop.call_soon_threadsafe(tell, failed)

    threading.Thread(target=run, name="banish mail", daemon=True).start()
    await done


def _translated(error: Exception, how: MailOptions) -> ActionError:
    where = f"the mail server {line(how.host, 100)}:{how.smtp_port}"
    match error:
        case smtplib.SMTPAuthenticationError():
            said = _said(error.smtp_code, error.smtp_error)
            cure = f"correct user= or the password in {how.password_file or 'password_file='}"
            return ActionError(f"{where} refused the login: {said}", cure=cure)
        case smtplib.SMTPNotSupportedError():
            return ActionError(
                f"{where} cannot do what is asked of it: {line(str(error), SHOWN_CHARACTERS)}",
                cure="change security= (tls, starttls, opportunistic, none) or user=",
            )
        case smtplib.SMTPRecipientsRefused():
            answers = {_said(*answer) for answer in error.recipients.values()}
            final = all(code >= 500 for code, _ in error.recipients.values())
            what = f"{where} refused every recipient: {'; '.join(sorted(answers))}"
            return ActionError(what, cure="correct to=", retry=not final)
        case smtplib.SMTPResponseException():
            said = _said(error.smtp_code, error.smtp_error)
            is_final = isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= 500
            return ActionError(
                f"{where} refused the mail: {said}", cure="see its log", retry=not is_final
            )
        case ssl.SSLCertVerificationError():
            return ActionError(
                f"{where} has a certificate that is not trusted: {error.verify_message}",
                cure="name the authority that signed it with ca_file=, or correct host=",
            )
        case ssl.SSLError():
            return ActionError(
                f"{where} could not agree on encryption: {error.reason or error}",
                cure="change security= (tls, starttls, opportunistic, none) or port=",
            )
        case _:
            said = line(getattr(error, "strerror", None) or str(error), SHOWN_CHARACTERS)
            return ActionError(
                f"{where} cannot be reached: {said or type(error).__name__}",
                cure="see that it runs and that host= and port= are right",
            )


def _said(code: int, answer: bytes | str) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return line(f"{code} {' '.join(text.split())}", SHOWN_CHARACTERS)
