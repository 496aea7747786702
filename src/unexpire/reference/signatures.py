"""Which cause is likeliest where AWS names the clock or the signature: `causes` for what is wrong with the request itself."""

from __future__ import annotations

from datetime import timedelta

from .ranking import Ranking, Shown, words

__all__ = ["header_malformed", "signature_incomplete", "signature_mismatch", "signature_time"]

_UPLOADS = (
    *("UploadPart", "PutObject", "CompleteMultipartUpload", "UploadPartCopy", "CopyObject"),
    *("PublishLayerVersion", "UpdateFunctionCode", "CreateFunction"),
)

_BARELY = timedelta(seconds=30)


def signature_time(shown: Shown, ranking: Ranking) -> None:
    skew = shown.seen.skew
    if skew is None:
        return
    side = "behind" if skew < timedelta(0) else "ahead of"
    ranking.first("clock_skew", f"the request was signed {words(skew)} {side} AWS's time{_whole_hours(skew)}")
    over = -skew - (shown.seen.window or timedelta(0))
    if shown.ailment == "clock-skewed" and timedelta(0) <= over <= _BARELY:
        ranking.first(
            "request_delayed",
            f"AWS's limit was missed by {words(over)} only: so does a request that is sent again and not signed again",
        )
    elif timedelta(0) < -skew < timedelta(minutes=60) and shown.operation in _UPLOADS:
        ranking.first("request_delayed", f"{shown.operation} carries megabytes: a slow line holds it that long")
    elif timedelta(0) < -skew < timedelta(minutes=30):
        waits = shown.operation in ("Invoke", "InvokeModel")
        why = f"{shown.operation} can wait that long between signing and sending" if waits else None
        ranking.second("request_delayed", why)
    ranking.look("the clock against AWS's Date header; if it is right, what held the request back after it was signed")


def _whole_hours(skew: timedelta) -> str:
    minutes = abs(skew.total_seconds()) / 60
    near = round(minutes / 60)
    if near and abs(minutes - near * 60) < 3:
        return ": a whole number of hours, as a wrong time zone makes it"
    return ""


def signature_mismatch(shown: Shown, ranking: Ranking) -> None:
    seen = shown.seen
    if seen.says(r"proxy|nginx|haproxy|\bminio\b|cloudflare|load balancer|\bvpn\b|zscaler|x-forwarded"):
        ranking.first("signing_or_proxy", "the text names something between client and AWS that may change the request")
    if seen.url is not None:
        ranking.first(
            "signing_or_proxy", "a signed URL stands in the text: method, headers or host differ from what was signed"
        )
    if seen.xml_document and seen.says(r"<stringtosign>"):
        ranking.first(
            "signing_or_proxy",
            "S3's bare answer, with what was to be signed: a program signs by itself, or something stands between",
        )
    if seen.says(r"<canonicalrequest>.{0,20}[a-z]{3,7} /\S{0,400}%"):
        ranking.first(
            "signing_or_proxy", "the path that AWS saw holds encoded characters: something may have decoded one of them"
        )
    ranking.look(
        "the secret: quotes, blanks, a cut end, + and / that were decoded",
        "a header or path that something changed after signing",
    )


def signature_incomplete(shown: Shown, ranking: Ranking) -> None:
    """AWS echoes what it could not read: the credential scope (a key id with a slash or a blank in it), or a foreign header."""
    if shown.seen.says(
        r"5 slash-delimited elements.{0,80}\bgot '|/\d{8}/[\w-]{2,40}/[\w-]{2,40}/aws4_request,?'? not a valid"
    ):
        ranking.first(
            "bad_access_key", "what stands in the place of the key id is none: a secret, a word, or a blank in it"
        )
    elif shown.seen.says(r"authorization header: '?(?:bearer|basic|eyj)"):
        ranking.first(
            "unsigned_or_wrong_route",
            "the header holds a login of another kind: on a route that expects a signature, or on one that is not there",
        )
    elif shown.seen.says(r"\bapi gateway\b"):
        ranking.first(
            "unsigned_or_wrong_route", "API Gateway says so of a route that is not there, or not deployed yet"
        )
    elif shown.seen.says(r"credential= ?[^,/]{0,60}[\s:\[][^,/]{0,60}/\d{8}/"):
        ranking.first(
            "bad_access_key", "what stands in the place of the key id is more than that: words were pasted along"
        )
    elif shown.seen.says(r"credential= ?['\"]?[$%{<]"):
        ranking.first("bad_access_key", "the name of a variable stands where the key id belongs: nothing expanded it")
    ranking.look("the key id as the program sees it: 20 letters and digits, no blank, quote or line end")


def header_malformed(shown: Shown, ranking: Ranking) -> None:
    """S3 says which part of the header is wrong after the semicolon."""
    if shown.seen.says(r"the region '[^']{0,40}' is wrong"):
        ranking.first("wrong_region_or_partition", "S3 names the Region that it expects")
    elif shown.seen.says(r"requires three components"):
        ranking.first(
            "signing_or_proxy", "a part of the header is missing: the signer left it out, or something cut it"
        )
    elif shown.seen.says(r"the credential is mal-?formed"):
        ranking.first(
            "bad_access_key", "the credential scope cannot be read: often a key id with a slash or blank in it"
        )
        ranking.second("signing_or_proxy")
