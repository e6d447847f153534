"""Secrets never reach the journal: masked by key at any depth, in damaged bodies and in texts inside texts."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from oracle.masking import MASK, UNREADABLE_BYTES_MAX, mask
from oracle.spelling import pattern
from rules import alert_text
from rules.reading import read
from state.alert import BadAlert, Entry
from state.inputs import AlertReceived
from state.record import Record, decode, encode
from tests.test_secrets_kept import plain

HUSH = "hush-8f2a"

SECRET_KEYS = (
    *(
        "secret",
        "SECRET",
        "webhook_secret",
        "clientSecret",
        "token",
        "webhook_token",
        "accessToken",
        "password",
        "passwd",
    ),
    *(
        "passphrase",
        "passcode",
        "pwd",
        "api_key",
        "api-key",
        "apiKey",
        "X-API-Key",
        "private_key",
        "access-key",
        "auth",
    ),
    *("Authorization", "hmac", "X-Webhook-Signature", "credentials", "key", "pin"),
)
OPEN_KEYS = ("symbol", "author", "authority", "keyword", "monkey", "spin", "pinbar", "price", "direction")

PLAIN = st.text(st.characters(categories=("Lu", "Ll", "Nd")), max_size=8)
LEAVES = st.none() | st.booleans() | st.integers() | PLAIN
BODIES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(SECRET_KEYS + OPEN_KEYS), inner, max_size=4)
    ),
    max_leaves=20,
)


@pytest.mark.parametrize("key", SECRET_KEYS)
def test_a_secret_is_masked_whatever_its_value(key: str) -> None:
    """Text, number, list or object: all of it goes."""
    for value in (HUSH, 77, [HUSH], {"a": HUSH}, None):
        assert json.loads(mask(json.dumps({key: value, "symbol": "SPY"}))) == {key: MASK, "symbol": "SPY"}


@pytest.mark.parametrize("key", OPEN_KEYS)
def test_what_only_resembles_a_secret_stays(key: str) -> None:
    """A word inside another word is not taken for it."""
    assert json.loads(mask(json.dumps({key: "as sent"}))) == {key: "as sent"}


@given(BODIES)
def test_nothing_but_secrets_changes(body: Any) -> None:
    """At any depth: the same tree, with a mask under every secret key."""

    def expected(tree: Any) -> Any:
        if isinstance(tree, dict):
            return {key: MASK if key in SECRET_KEYS else expected(value) for key, value in tree.items()}
        return [expected(one) for one in tree] if isinstance(tree, list) else tree

    assert json.loads(mask(json.dumps(body))) == expected(body)


@pytest.mark.parametrize("number", ["1.0", "1e5", "690.100", "-0", "1" * 400, "NaN", "1E+2"])
def test_numbers_keep_their_text(number: str) -> None:
    """What a number says exactly is decided when it is read, not when it is journaled."""
    assert mask(f'{{"price": {number}}}') == f'{{"price": {number}}}'
    assert str(json.loads(mask('{"p": 0.1}'), parse_float=Decimal)["p"]) == "0.1"


def test_order_and_repeated_keys_stay() -> None:
    """The reading of an alert may depend on both, and each of the repeated secrets is masked."""
    assert mask('{"b": 1, "a": 2, "b": 3}') == '{"b": 1, "a": 2, "b": 3}'
    assert HUSH not in mask(f'{{"secret": "{HUSH}", "secret": "{HUSH}"}}')


@pytest.mark.parametrize(
    "body",
    [
        f'{{"symbol": "SPY", "secret": "{HUSH}", ',
        f'{{"secret": "{HUSH}',
        f"{{'token': '{HUSH}'",
        f"secret={HUSH}&symbol=SPY",
        f"SPY buy, Secret: {HUSH}; now",
        f"Authorization: Bearer {HUSH}.abc",
        f"api-key = {HUSH}",
        f"key={HUSH}",
        f'payload={{"passphrase":"{HUSH}"',
        f'{{\\"secret\\": \\"{HUSH}\\"',
        json.dumps(f'{{"secret": "{HUSH}"}}'),
        json.dumps({"message": f'{{"secret": "{HUSH}"}}'}),
        json.dumps([f"token: {HUSH}"]),
        json.dumps({"a": json.dumps({"b": f"pin = {HUSH}"})}),
    ],
)
def test_a_secret_in_a_text_is_masked(body: str) -> None:
    """Damaged JSON, forms, headers, and JSON inside a text: the value is gone, the rest can still be read."""
    masked = mask(body)
    assert HUSH not in masked
    assert MASK in masked


@pytest.mark.parametrize("body", ["SPY, 5 - Buy signal", "key level 690", "a tokenless text", "{{ticker}} buy"])
def test_a_text_without_a_secret_stays(body: str) -> None:
    """Nothing that is not followed by `:` or `=` is taken for a secret."""
    assert mask(body) == body


def test_a_damaged_body_comes_back_mended() -> None:
    """What could be mended and holds a secret is kept as the JSON it means; what holds none is kept as it was sent."""
    assert (
        mask('{"symbol": "SPY", "secret": "x y", "price": 1.50,}')
        == '{"symbol": "SPY", "secret": "***", "price": 1.50}'
    )
    assert mask('{"symbol": "SPY", "price": 1.50,}') == '{"symbol": "SPY", "price": 1.50,}'


def test_recorded_bodies_read_alike_behind_the_mask(data_dir: Path) -> None:
    """Whatever real senders post, taking its secrets out changes neither its kind nor what it asks for."""
    for file in sorted((data_dir / "payloads").glob("tv_*.jsonl")):
        for line in file.read_text("utf-8").splitlines():
            body = json.loads(line)["body"]
            plain, masked = (read(one, source="x", received_at=10**18) for one in (body, mask(body)))
            assert type(masked) is type(plain), body
            if isinstance(plain, Entry) and isinstance(masked, Entry):
                assert replace(masked, warnings=()) == replace(plain, warnings=())


def test_a_text_is_cut_in_whole_letters() -> None:
    """At most 32 KB of a body that is no JSON are kept, and never half a letter."""
    kept = mask("é" * UNREADABLE_BYTES_MAX)
    assert kept == "é" * (UNREADABLE_BYTES_MAX // 2)


@pytest.mark.parametrize("body", ['{"x": "\\ud800"}', '"\\udfff"', "\ud800", '{"secret": "\\ud800"}', '{"\\udc00": 1}'])
def test_what_comes_back_can_be_journaled(body: str) -> None:
    """Half a surrogate pair, legal in JSON text, does not break the encoding of the record."""
    told = AlertReceived(mask(body), "webhook")
    assert decode(encode(Record(told, ())), 1).input == told


@given(
    st.text(max_size=60) | st.lists(st.sampled_from([*"\\\"'{}:=[], ", "secret", "x", "key"]), max_size=30).map("".join)
)
def test_any_text_can_be_masked(body: str) -> None:
    """No text raises, what comes back is UTF-8, and masking once is enough."""
    once = mask(body)
    assert once.encode().decode() == mask(once)


HIDDEN = "hunter12"
GOOD = '{"symbol": "SPY", "direction": "long", "timeframe": "5m"'
DAMAGED = [
    "payload=" + quote(f'{GOOD}, "token": "{HIDDEN}"}}'),
    f'{GOOD}, "tok\\u0065n": "{HIDDEN}",}}',
    f'{GOOD}, "token": ["a", "{HIDDEN}"],}}',
    f'{GOOD}, "token": {{"v": "{HIDDEN}"}},}}',
    f'{GOOD}, "note": "https://user:{HIDDEN}@example.com/",}}',
]


@pytest.mark.parametrize("body", DAMAGED)
def test_a_mendable_body_loses_its_secret_and_reads_alike(body: str) -> None:
    """Whatever the reading mends, the mask mends too: the same signal, and no secret left."""
    masked = mask(body)
    assert HIDDEN not in masked
    kinds = [type(read(one, source="x", received_at=10**18)) for one in (body, masked)]
    assert kinds == [Entry, Entry]


@pytest.mark.parametrize(
    "value", ["[a, hunter12]", "{v: hunter12}", "hunter12", "'hunter12'", '"a" b hunter12', "a\nhunter12"]
)
def test_a_text_nobody_can_mend_loses_all_behind_a_secret(value: str) -> None:
    """Where its value ends nobody can tell."""
    assert mask(f"buy now token: {value} and go") == 'buy now token: "***"'


def test_a_damaged_body_keeps_what_follows_a_closed_secret() -> None:
    """A text in quotes that ends as one of JSON does is all of the value, and the fault behind it is told where it is."""
    assert mask('{"token": "a,b", \'pin\': \'1\'], "n": x}') == '{"token": "***", \'pin\': \'***\'], "n": x}'


@pytest.mark.parametrize(
    ("body", "masked"),
    [
        ("payload=%7B%22token%22%3A%22hunter12%22,%22n", 'payload={"token":"***"'),
        ("data=%7B%22token%22%3A%22hunter12%22%7D", 'data={"token":"***"'),
        ("data=%257B%2522token%2522%253A%2522hunter12", 'data={"token":"***"'),
        ("payload=%7B%22n%22%3A1%7D&token=hunter12&a=b", 'payload=%7B%22n%22%3A1%7D&token="***"'),
        ("payload=%7B%22n%22%3A1%7D&tok%65n=hunter12&a=b", 'payload={"n":1}&token="***"'),
        ("payload=%7B%22n%22%3A%22%2541%22%7D&tok%65n=hunter12", '{"n": "%41", "***": "***"}'),
        ("to%6ben=hunter12&symbol=SPY", 'token="***"'),
        ('{"token":"hunter12","token":"hunter12",', '{"token":"***","token":"***",'),
        ('{"a": "token: hunter12", "a": 1,}', '{"a": 1, "***": "***"}'),
        ('{"to\\u006ben":"hunter12"', '{"token":"***"'),
        ('{"to\\u006ben":"a\\",hunter12"', '{"token":"***"'),
        ('{"token":"a\\",hunter12","n":1,,', '{"token":"***"'),
        ('{"token":{"a":{},"c":"hunter12"}', '{"token":"***"'),
        ('{"note":"{\\"token\\":{\\"a\\":{},\\"c\\":\\"hunter12\\"}}"}', '{"note": "{\\"token\\":\\"***\\""}'),
        ('{"name":"token","value":"hunter12","n":1}', '{"name": "token", "value": "***", "n": 1}'),
        ('{"value":["hunter12"],"header":"api key"}', '{"value": "***", "header": "api key"}'),
        ('{"name":"token","value":"hunter12",,', '{"name":"token","value":"***",,'),
        ('{"name":"price","value":"690"}', '{"name":"price","value":"690"}'),
        ('{"token=hunter12":1}', '{"token=\\"***\\"": "***"}'),
        ('{"my secret words":"hunter12",,', '{"my secret words":"***",,'),
        ("https%3A%2F%2Fuser:hunter12@example.com", "https://***@example.com"),
    ],
)
def test_a_secret_is_found_however_it_is_sent(body: str, masked: str) -> None:
    """In forms, escaped, repeated, nested, as a pair of name and value, or as a part of a key."""
    assert mask(body) == masked


def test_what_was_no_alert_becomes_none() -> None:
    """The fault goes with the secret in which it stood; what is kept is refused all the same."""
    for body in (f'{GOOD}, "token": "a\tb"}}', "SPY,\0 5 - Buy token=a"):
        kinds = [type(alert_text.parse(one)) for one in (body, mask(body), mask(mask(body)))]
        assert kinds == [alert_text.Unreadable] * 3
    assert mask(f'{GOOD}, "token": "a\tb"}}') == f'{{{GOOD}, "token": "***"}}'


def test_a_long_body_that_can_be_mended_is_kept_whole() -> None:
    """Only what nobody can read is cut."""
    body = f'{GOOD}, "note": "{"x" * UNREADABLE_BYTES_MAX}",}}'
    assert mask(body) == body


# -- any secret, anywhere -------------------------------------------------------------------------------------------

# Of letters that stand in nothing else, so that every piece of a secret is known.
SECRETS = st.text("QZ\"'\\\\,:{}[]%&=+ \n\u201c\u00e9", min_size=1, max_size=12).map(lambda text: f"QZ{text}QZ")
HELD = st.recursive(SECRETS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PLAIN, inner, max_size=3))
KEYED = st.sampled_from(SECRET_KEYS)
NOISE = st.fixed_dictionaries({"symbol": st.just("SPY"), "n": st.integers(0, 9) | st.just({"a": [1, {}]})})
HOLDERS = st.one_of(
    st.builds(lambda noise, key, value: {**noise, key: value, "last": 1}, NOISE, KEYED, HELD),
    st.builds(lambda noise, key, value: {**noise, "name": key, "value": value, "last": 1}, NOISE, KEYED, HELD),
    st.builds(lambda key, value: {f"{key}={value}": 1, "last": 1}, KEYED, SECRETS),
    st.builds(lambda key, value: {"note": f"{key}: {value}", "last": 1}, KEYED, SECRETS),
)
BURIED = st.recursive(
    HOLDERS,
    lambda inner: (
        st.builds(lambda one: {"a": 1, "deep": one, "b": ""}, inner)
        | st.builds(lambda one: [1, one, {}], inner)
        | st.builds(json.dumps, inner)
    ),
    max_leaves=4,
)


def escaped(text: str, letters: str) -> str:
    """A text of JSON in which some letters are escaped."""
    return "".join(f"\\u{ord(one):04X}" if one in letters else one for one in text)


WRITTEN = st.one_of(
    st.builds(json.dumps, BURIED, indent=st.none() | st.just(1), ensure_ascii=st.booleans()),
    st.builds(lambda tree, letters: escaped(json.dumps(tree), letters), BURIED, st.sampled_from(["kKpP", "sSwWyY"])),
    st.builds(repr, BURIED),
    st.builds(lambda key, value: f"symbol=SPY&{key}={quote(value)}&side=buy", KEYED, SECRETS),
    st.builds(lambda key, value: f"SPY buy\n{key} = {value}\nnow", KEYED, SECRETS),
)
SENT = st.one_of(
    WRITTEN,
    st.builds(
        lambda start, text, safe: start + quote(text, safe),
        st.sampled_from(["payload=", "data=", "", "a=1&b="]),
        WRITTEN,
        st.sampled_from(["", '{}":,', "%", " []"]),
    ),
    st.builds(lambda text: quote(quote(text)), WRITTEN),
    st.builds(lambda text: text.encode("utf-16-le").decode("latin-1"), WRITTEN),
    st.builds(lambda text: text.encode("utf-16-be").decode("latin-1"), WRITTEN),
)


@settings(max_examples=1_000)
@given(SENT, st.floats(0, 1), st.sampled_from(["", "}", ",}", "]]", '"', "\\", "%", "%2"]))
def test_no_piece_of_a_secret_is_journaled(body: str, cut: float, end: str) -> None:
    """Under any secret key at any depth, encoded, and cut anywhere."""
    for one in (body, body[: int(len(body) * cut)] + end):
        seen = plain(mask(one).encode())
        assert b"Q" not in seen, one
        assert b"Z" not in seen, one


def hush(text: str) -> str:
    """What takes one known secret out of a text."""
    return pattern(HUSH).sub(MASK, text)


ESCAPED = "".join(f"\\u{ord(one):04x}" for one in HUSH)
PERCENTED = "".join(f"%{ord(one):02x}" for one in HUSH)


@pytest.mark.parametrize(
    ("body", "masked"),
    [
        (f'{{"note": "a {HUSH}", "n": 1.50}}', '{"note": "a ***", "n": 1.50}'),
        (f'{{"note": "{ESCAPED}"}}', '{"note": "***"}'),
        (f'{{"{ESCAPED}": 1}}', '{"***": 1}'),
        (f'{{"note": "{ESCAPED}", "n": 1.50,}}', '{"note": "***", "n": 1.50}'),
        (f'{{"{HUSH}": 1,}}', '{"***": 1}'),
        (f'{{"note": ["{HUSH}"],}}', '{"note": ["***"]}'),
        (f"payload=%7B%22note%22:%22{PERCENTED}%22%7D", '{"note": "***"}'),
        (f'{{"note": "{ESCAPED}"', '{"note": "***"'),
        (f"payload=%7B%22{PERCENTED}", "payload=%7B%22***"),
        (json.dumps({"a": json.dumps({"b": HUSH}).replace(HUSH, ESCAPED)}), json.dumps({"a": '{"b": "***"}'})),
    ],
)
def test_a_known_secret_is_taken_out_wherever_it_stands(body: str, masked: str) -> None:
    """Under any key or as one, escaped, encoded, in a sound body, a damaged one, and one beyond mending."""
    assert mask(body, hush) == masked


def test_a_known_secret_of_digits_may_be_a_number() -> None:
    """Its place holds a text then, so that the body is JSON as before."""
    digits = "1234567890123456"
    bodies = [f'{{"n": {digits}, "m": [2]}}', f'{{"n": {digits}, "m": [2],}}']
    assert [mask(one, lambda text: text.replace(digits, MASK)) for one in bodies] == ['{"n": "***", "m": [2]}'] * 2


def test_a_long_text_is_hidden_before_it_is_cut() -> None:
    """Where it is cut half a secret may stand, which nobody would find."""
    for over in range(len(HUSH)):
        kept = mask("x" * (UNREADABLE_BYTES_MAX - over) + HUSH, hush)
        assert HUSH[:2] not in kept
        assert len(kept) <= UNREADABLE_BYTES_MAX


def test_utf_16_without_a_mark_hides_no_secret() -> None:
    """Its letters have zero bytes between them; what comes back is masked, and no better than what was sent."""
    body = f'{GOOD}, "token": "{HIDDEN}"}}'.encode("utf-16-le").decode()
    masked = mask(body)
    assert HIDDEN not in masked.replace("\0", "")
    assert [type(read(one, source="x", received_at=10**18)) for one in (body, masked)] == [BadAlert, BadAlert]
    assert mask("a\0 zero, and nothing to mask") == "a\0 zero, and nothing to mask"


def test_json_without_a_secret_stays_as_it_was_sent() -> None:
    """Spaces, escapes and repeated keys too: a compact body of the largest size does not grow over the limit."""
    sent = '{"symbol":"SPY",\n "note" : "caf\\u00e9: a", "n":[1.50,{}],"n":2}'
    assert mask(sent) == sent
    full = '{"a":[' + "1," * 60_000 + "1]}"
    assert mask(full) == full
    assert mask('{"a":1,"token":"t","b":"café"}') == '{"a": 1, "token": "***", "b": "café"}'


@pytest.mark.parametrize(
    "body",
    [
        '{"url": "redis://:hunter2@cache:6379/0"}',
        '{"message": "Bearer hunter2"}',
        '{"note": "Authorization Bearer hunter2 and so on"}',
        '{"webhook_key": "hunter2"}',
        '{"signingKey": "hunter2", "api.key": "hunter2"}',
        '{"header": "authorization", "value": "hunter2"}',
    ],
)
def test_secrets_by_other_names_go_as_well(body: str) -> None:
    """Addresses without a user, bearers, keys of something."""
    assert "hunter2" not in mask(body)


def test_the_price_of_a_ticker_that_is_a_word_stays() -> None:
    """KEY is a bank; only a name names a value."""
    body = '{"ticker": "KEY", "action": "buy", "value": 16.2, "monkey": "see"}'
    assert mask(body) == body
