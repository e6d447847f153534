"""The secrets that callers prove to know: read from the environment or from `secrets.env`, compared in constant time.

They are never shown, logged or journaled. Deliberately absent: where in a call a proof may stand.
"""

import hashlib
import hmac
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from oracle import spelling
from state.errors import BadUsage

FILE = "secrets.env"
SECRET_CHARS_MIN = 16
_MASK = "***"
_SIGNATURE = re.compile(r"(?i:sha256)=([0-9a-fA-F]{64})")
_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")


class Keys:
    """What a call may be proven with: a signature under `hmac_secret`, or the `token`; None is not configured."""

    __slots__ = ("_hidden", "_hmac_secret", "_token", "hidden_chars_max")

    def __init__(self, hmac_secret: bytes | None = None, token: bytes | None = None) -> None:
        self._hmac_secret, self._token = hmac_secret, token
        written = [one.decode("utf-8", "surrogateescape") for one in (hmac_secret, token) if one]
        # The longer one first, because the other may be a part of it.
        self._hidden = tuple(map(spelling.pattern, sorted(written, key=len, reverse=True)))
        self.hidden_chars_max = spelling.CHARS_PER_BYTE_MAX * max(len(hmac_secret or b""), len(token or b""))
        """How many characters of a text a secret may take: where a text was cut, its end may be so much of one."""

    def __repr__(self) -> str:
        return f"Keys(hmac_secret={_MASK if self.signs else None}, token={_MASK if self._token else None})"

    def __bool__(self) -> bool:
        """Whether any secret is configured."""
        return self.signs or self._token is not None

    @property
    def signs(self) -> bool:
        """Whether signatures can be checked."""
        return self._hmac_secret is not None

    def signed(self, body: bytes, signature: str) -> bool:
        """Whether `sha256=<hex>`, in letters of either case, is the HMAC-SHA-256 of the raw body."""
        found = _SIGNATURE.fullmatch(signature)
        if found is None or self._hmac_secret is None:
            return False
        return hmac.compare_digest(hmac.digest(self._hmac_secret, body, "sha256"), bytes.fromhex(found[1]))

    def is_token(self, told: bytes) -> bool:
        """Whether this is the token."""
        return self._token is not None and _same(told, self._token)

    def is_signing_key(self, told: bytes) -> bool:
        """Whether this is the secret of signatures itself, which must never travel."""
        return self._hmac_secret is not None and _same(told, self._hmac_secret)

    def proof(self, body: bytes) -> dict[str, str]:
        """The headers that prove a call of our own: the token, and the signature of its body, as far as configured."""
        told = {} if self._token is None else {"X-Webhook-Token": self._token.decode("utf-8", "surrogateescape")}
        if self._hmac_secret is not None:
            told["X-Webhook-Signature"] = f"sha256={hmac.new(self._hmac_secret, body, 'sha256').hexdigest()}"
        return told

    def hide(self, text: str) -> str:
        """A text without these secrets, wherever they stand in it and however they are spelled.

        A text that was cut is hidden whole before it is cut: the beginning of a secret is not found.
        """
        for one in self._hidden:
            text = one.sub(_MASK, text)
        return text


def load(directory: Path, environ: Mapping[str, str]) -> Keys:
    """The secrets of a data directory: `HMAC_SECRET` and `WEBHOOK_TOKEN` of the environment, else of its `secrets.env`.

    An empty value is none. Raises BadUsage when the file can be read by others or a line of it cannot be understood, and
    for a secret that is too short or serves both purposes.
    """
    stored = _stored(directory / FILE)

    def find(name: str) -> bytes | None:
        return (environ.get(name) or stored.get(name) or "").encode("utf-8", "surrogateescape") or None

    hmac_secret, token = find("HMAC_SECRET"), find("WEBHOOK_TOKEN")
    _check_strength(hmac_secret, token)
    return Keys(hmac_secret, token)


def _check_strength(hmac_secret: bytes | None, token: bytes | None) -> None:
    """Only of what calls are judged by: whoever merely presents a short one is told that it is wrong."""
    for name, secret in (("HMAC_SECRET", hmac_secret), ("WEBHOOK_TOKEN", token)):
        if secret is not None and len(secret) < SECRET_CHARS_MIN:
            remedy = "`openssl rand -hex 24` makes a good one"
            raise BadUsage(f"{name} is shorter than {SECRET_CHARS_MIN} characters and could be guessed: {remedy}")
    if hmac_secret is not None and hmac_secret == token:
        raise BadUsage("HMAC_SECRET and WEBHOOK_TOKEN are equal: a token travels, so the signing key must differ")


def _same(told: bytes, secret: bytes) -> bool:
    """Compare digests, so that not even the length of the secret shows in the time it takes."""
    return hmac.compare_digest(hashlib.sha256(told).digest(), hashlib.sha256(secret).digest())


def _stored(path: Path) -> dict[str, str]:
    """The lines NAME=value of a file; none when there is no file. A message never shows what stands in a line."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read()
    except FileNotFoundError:
        return {}
    except OSError as refusal:
        raise BadUsage(f"{path} cannot be read: {refusal.strerror}") from refusal
    if mode & 0o077:
        raise BadUsage(f"{path} can be read by others (mode {mode:o}): run `chmod 600 {path}` and change its secrets")
    try:
        lines = content.decode().splitlines()
    except UnicodeDecodeError:
        raise BadUsage(f"{path} is not UTF-8 text: write lines such as WEBHOOK_TOKEN=...") from None
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        said = line.strip()
        if said and not said.startswith("#"):
            parts = _LINE.fullmatch(said)
            if parts is None:
                raise BadUsage(f"{path}, line {number}: write NAME=value, for instance WEBHOOK_TOKEN=...")
            found[parts[1]] = _bare(parts[2])
    return found


def _bare(value: str) -> str:
    """A value without the quotes round it."""
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if quoted else value
