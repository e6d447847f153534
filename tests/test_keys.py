"""Secrets are found in two places, compared as bytes, and shown in none."""

import hashlib
import hmac
from pathlib import Path

import pytest

from oracle.keys import Keys, load
from state.errors import BadUsage

KEY, TOKEN = "signing-key-0123456789", "token-0123456789abc"


def stored(directory: Path, text: str | bytes, mode: int = 0o600) -> Path:
    """A directory whose `secrets.env` says this."""
    file = directory / "secrets.env"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    file.chmod(mode)
    return directory


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    """Each secret by itself; an empty variable is none."""
    data = stored(tmp_path, f"# mine\n\nHMAC_SECRET={KEY}\nexport WEBHOOK_TOKEN = '{TOKEN}'\nOTHER=1\n")
    both = load(data, {})
    assert (both.is_signing_key(KEY.encode()), both.is_token(TOKEN.encode())) == (True, True)
    other = load(data, {"WEBHOOK_TOKEN": "another-token-987654", "HMAC_SECRET": ""})
    assert (other.is_token(TOKEN.encode()), other.is_token(b"another-token-987654")) == (False, True)
    assert other.is_signing_key(KEY.encode())


def test_without_a_file_and_a_variable_there_is_no_secret(tmp_path: Path) -> None:
    """Nothing configured is nothing provable."""
    keys = load(tmp_path, {"HMAC_SECRET": ""})
    assert not keys
    assert not keys.signs
    assert not keys.is_token(b"")
    assert not keys.is_signing_key(b"")
    assert not keys.signed(b"", "sha256=" + hmac.digest(b"", b"", "sha256").hex())


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_may_touch_is_refused(tmp_path: Path, mode: int) -> None:
    """The message names the mode and the remedy."""
    with pytest.raises(BadUsage, match="chmod 600"):
        load(stored(tmp_path, f"WEBHOOK_TOKEN={TOKEN}", mode), {})


@pytest.mark.parametrize("text", [f"WEBHOOK_TOKEN {TOKEN}", f"{TOKEN}", b"WEBHOOK_TOKEN=\xff\xfe"])
def test_a_line_that_is_none_is_refused_without_being_shown(tmp_path: Path, text: str | bytes) -> None:
    """The secret may stand in it."""
    with pytest.raises(BadUsage) as refused:
        load(stored(tmp_path, text), {})
    assert TOKEN not in str(refused.value)
    assert "WEBHOOK_TOKEN=..." in str(refused.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """A directory in its place, for instance."""
    (tmp_path / "secrets.env").mkdir(mode=0o700)
    with pytest.raises(BadUsage, match="cannot be read"):
        load(tmp_path, {})


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"WEBHOOK_TOKEN": "fifteen-letters"}, "WEBHOOK_TOKEN is shorter than 16"),
        ({"HMAC_SECRET": "a-small-one"}, "HMAC_SECRET is shorter than 16"),
        ({"HMAC_SECRET": TOKEN, "WEBHOOK_TOKEN": TOKEN}, "must differ"),
    ],
)
def test_weak_secrets_are_refused(tmp_path: Path, environ: dict[str, str], words: str) -> None:
    """Short ones can be guessed, equal ones travel; neither is shown."""
    with pytest.raises(BadUsage, match=words) as refused:
        load(tmp_path, environ)
    assert not any(one in str(refused.value) for one in environ.values())


def test_a_signature_is_that_of_the_raw_bytes() -> None:
    """The digest in hex of either case, in its one form; one other byte of body or signature is no proof."""
    keys, body = Keys(KEY.encode(), None), b'{"symbol": "SPY"}'
    right = hmac.new(KEY.encode(), body, hashlib.sha256).hexdigest()
    assert keys.signed(body, f"sha256={right}")
    assert keys.signed(body, f"SHA256={right.upper()}")
    wrong = [right, f"sha1={right}", f"sha256={right[:-1]}", f"sha256={right}0", f"sha256= {right}", "", "sha256=é"]
    assert [one for one in wrong if keys.signed(body, one)] == []
    assert not keys.signed(body + b" ", f"sha256={right}")
    assert not Keys(None, TOKEN.encode()).signed(body, f"sha256={right}")


def test_what_is_only_presented_need_not_be_strong() -> None:
    """A sender's short token is the listener's to refuse; it proves nothing there."""
    assert Keys(token=b"short").proof(b"{}") == {"X-Webhook-Token": "short"}
    assert not Keys(None, TOKEN.encode()).is_token(b"short")


def test_a_secret_inside_the_other_leaves_nothing_of_it() -> None:
    """The longer one is taken out first."""
    keys = Keys(b"0123456789abcdef", b"xx-0123456789abcdef-yy")
    assert keys.hide("a 0123456789abcdef b xx-0123456789abcdef-yy c") == "a *** b *** c"


def test_the_secrets_are_never_shown() -> None:
    """Not by the object, and not in a text that passes through it."""
    keys = Keys(KEY.encode(), "tökén-0123456789".encode())
    assert repr(keys) == "Keys(hmac_secret=***, token=***)"
    assert repr(Keys()) == "Keys(hmac_secret=None, token=None)"
    assert keys.hide(f"a {KEY} b tökén-0123456789 c") == "a *** b *** c"
    assert keys.hide(f"a %{ord(KEY[0]):x}{KEY[1:]} b t\\u00f6k%C3%A9n-0123456789 c") == "a *** b *** c"
    assert (keys.hidden_chars_max, Keys().hidden_chars_max) == (18 * len(KEY), 0)
    assert keys.is_token("tökén-0123456789".encode())
    assert not keys.is_token(b"t\xf6k\xe9n-0123456789")
