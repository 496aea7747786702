"""Which failures of TLS will stay, and what to do about them: a certificate that is not trusted does not become so by waiting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import ssl

__all__ = ["Distrust", "distrust"]

# openssl/x509_vfy.h: X509_V_ERR_CERT_NOT_YET_VALID and _HAS_EXPIRED, _HOSTNAME_MISMATCH and _IP_ADDRESS_MISMATCH.
_OF_TIME = frozenset({9, 10})
_OF_NAME = frozenset({62, 64})

_NOT_TRUSTED = "the certificate is not trusted"
_ANOTHER_HOST = "correct AWS_ENDPOINT_URL (endpoint_url), the name server or the proxy: another host answers than the one that is meant"
_A_BUNDLE = "let AWS_CA_BUNDLE (ca_bundle, REQUESTS_CA_BUNDLE) name a readable file of PEM certificates"


class Distrust(NamedTuple):
    """What is wrong with the certificate, as the end of a sentence, and what to do."""

    why: str
    hint: str


def distrust(error: BaseException) -> Distrust | None:
    """Why TLS with the other end will not come about; None for every other failure, a handshake that was cut off for one.

    `error` may wrap the one of `ssl` as botocore, urllib3 and http.client do.
    """
    import ssl  # here: every command starts with this module, and few meet a certificate

    for each in _within(error, set()):
        if isinstance(each, ssl.SSLCertVerificationError):
            return _refused(each)
        if type(each).__name__ == "CertificateError" and type(each).__module__.startswith("urllib3"):
            return Distrust(f"{_NOT_TRUSTED}: it is another host's", _ANOTHER_HOST)  # urllib3 compares names by itself
        if isinstance(each, FileNotFoundError | PermissionError | IsADirectoryError):
            words = (each.strerror or type(each).__name__).lower()
            return Distrust(f"the CA bundle cannot be read: {words}", _A_BUNDLE)
        if isinstance(each, ssl.SSLError) and each.reason == "NO_CERTIFICATE_OR_CRL_FOUND":
            return Distrust("the CA bundle holds no certificate", _A_BUNDLE)
        if isinstance(each, ssl.SSLError) and each.reason == "WRONG_VERSION_NUMBER":
            return Distrust(
                "it does not speak TLS", "write http:// where the endpoint (or the proxy) is plain, or correct its port"
            )
    return None


def _refused(error: ssl.SSLCertVerificationError) -> Distrust:
    reason = getattr(error, "verify_message", "") or error.reason or "it cannot be verified"
    code = getattr(error, "verify_code", 0)
    if code in _OF_TIME:
        hint = "compare `date -u` with the true time; where the clock is right, the endpoint or proxy needs a new certificate"
    elif code in _OF_NAME:
        hint = _ANOTHER_HOST
    else:
        hint = "export AWS_CA_BUNDLE=/path/to/ca.pem (or ca_bundle in the profile), with the CA of the endpoint or of the proxy"
    return Distrust(f"{_NOT_TRUSTED}: {reason}", hint)


def _within(error: object, seen: set[int]) -> Iterator[BaseException]:
    """The error and those that it wraps: as its cause, as an argument (urllib3), or by name (botocore keeps `kwargs`)."""
    if not isinstance(error, BaseException) or id(error) in seen or len(seen) > 20:
        return
    seen.add(id(error))
    yield error
    named = getattr(error, "kwargs", None)
    inner = [error.__cause__, *error.args, *(named.values() if isinstance(named, dict) else ()), error.__context__]
    for each in inner:
        yield from _within(each, seen)
