"""The body of a call: read up to a limit, never unpacked, and carried as masked text that reads as the bytes would.

Deliberately absent: what a body means.
"""

from urllib.parse import quote_from_bytes

from aiohttp import web
from aiohttp.http import HttpProcessingError, HttpVersion11

from oracle.listener.replies import Refused
from oracle.masking import Hide, mask, mask_text
from rules.alert_text import BODY_BYTES_MAX

TOO_LARGE = Refused(
    413, "body_too_large", f"the body is larger than {BODY_BYTES_MAX} bytes; send fewer fields or shorter texts"
)
ENCODED = Refused(
    400, "bad_request", "the body has a Content-Encoding; send it as it is, without compression and without that header"
)
CODED = Refused(
    400, "bad_request", "the Transfer-Encoding is not understood; send the body with a Content-Length, or chunked"
)
CUT = Refused(400, "bad_request", "the body did not arrive whole; send it again with its right length")

_UNDECODABLE_BYTES_MAX = 10 * 1024


def is_oddly_coded(request: web.BaseRequest) -> bool:
    """Whether a proxy in front might see another end of the body than the library does, and another call behind it."""
    codings = [one.strip().lower() for one in request.headers.getall("Transfer-Encoding", [])]
    return bool(codings) and (codings != ["chunked"] or request.version < HttpVersion11)


def refused_unread(request: web.BaseRequest) -> Refused | None:
    """Why a body is refused by its headers alone, or None."""
    if any(one.strip().lower() not in ("", "identity") for one in request.headers.getall("Content-Encoding", [])):
        return ENCODED
    length = request.content_length
    return TOO_LARGE if length is not None and length > BODY_BYTES_MAX else None


async def read(request: web.BaseRequest) -> bytes | Refused:
    """The raw body; no more of it is kept than the limit, whatever its length was said to be."""
    parts, size = [], 0
    try:
        while part := await request.content.readany():
            size += len(part)
            if size > BODY_BYTES_MAX:
                return TOO_LARGE
            parts.append(part)
    except (ConnectionError, web.RequestPayloadError, HttpProcessingError):
        return CUT
    return b"".join(parts)


def carried(body: bytes, hide: Hide = str) -> str:
    """The text of a body with its secrets masked and hidden, which is read as the body would be."""
    try:
        return mask(body.decode(), hide)
    except UnicodeDecodeError:
        return _undecodable(body, hide)


def _undecodable(body: bytes, hide: Hide) -> str:
    """Bytes that are no UTF-8 as a percent-encoded form, the one text that is read as such bytes; cut when very long."""
    kept = hide(body.decode("latin-1"))[:_UNDECODABLE_BYTES_MAX]
    masked = mask_text(kept).encode("latin-1")
    try:
        masked.decode()
    except UnicodeDecodeError:
        return f"payload={quote_from_bytes(masked)}"
    # The fault stood in a secret and went with it, or stands further on.
    return f"payload={quote_from_bytes(masked)}%FF"
