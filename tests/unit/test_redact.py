"""No secret reaches a record; what is harmless stays as it is."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.sifs import run, run_record

from sifprov.model import redact as module
from sifprov.model.record import Record
from sifprov.model.redact import HIDDEN, redact, redact_text, secret_name

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl"
PEM = (
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n"
    "-----END OPENSSH PRIVATE KEY-----"
)

# A command line as a shell would take it, with § for a secret, and what must not be seen of it.
LEAKS = [
    # options
    ("app --password §", ["§"]),
    ("app --password=§", ["§"]),
    ("app -password §", ["§"]),
    ("app --db-password §", ["§"]),
    ("app --api-key § --api.key=§ --apiKey § --API_KEY §", ["§"]),
    ("app --docker-password § docker://x", ["§"]),
    ("app --access-token -§", ["-§"]),
    ("app --dbPassword § --user-pass § --client-secret §", ["§"]),
    ("gpg --batch --passphrase § -c f", ["§"]),
    ("app --credentials §", ["§"]),
    ("openssl rsa -passin pass:§ -in key.pem", ["§"]),
    # variables
    ("singularity exec --env DB_TOKEN=§ app.sif x", ["§"]),
    ("singularity exec --env=DB_TOKEN=§ app.sif x", ["§"]),
    ("singularity exec --env LANG=C,DB_TOKEN=§,TZ=UTC app.sif x", ["§"]),
    ("singularity exec --env 'DB_TOKEN=§,tailXX' app.sif x", ["§", "tailXX"]),
    ("singularity exec --env 'DB_TOKEN=§&tailXX;endXX' app.sif x", ["§", "tailXX", "endXX"]),
    ("env AWS_SECRET_ACCESS_KEY=§ AWS_SESSION_TOKEN=§ aws", ["§"]),
    ("env PGPASSWORD=§ MYSQL_PWD=§ SSHPASS=§ DB_PASS=§ GH_PAT=§ REDISCLI_AUTH=§ x", ["§"]),
    ("sqlcmd 'Server=a;UID=sa;PWD=§;'", ["§"]),
    # URLs
    ("wget https://user:§@host.org/x", ["§"]),
    ("wget https://:§@host.org/x", ["§"]),
    ("psql postgresql://u:p@ss@host/db", ["p@ss", "ss@"]),
    ("wget 'https://host.org/?a=1&token=§&b=2'", ["§"]),
    ("wget 'https://a.blob.core.net/x?sv=1&sig=abc%2Fdef'", ["abc%2Fdef"]),
    # headers
    ("curl -H 'Authorization: Bearer abcdefghijkl'", ["abcdefghijkl"]),
    ("curl -H 'authorization: Token §'", ["§"]),
    ("curl -H 'Proxy-Authorization: Basic dXNlcjpwYXNz'", ["dXNlcjpwYXNz"]),
    ("curl -H 'X-Api-Key: §' -H 'PRIVATE-TOKEN: §'", ["§"]),
    ("curl -H 'Cookie: session=§; more=TXX'", ["§", "TXX"]),
    ("app 'Bearer abc123def456'", ["abc123def456"]),
    ("curl -u me:§ https://x", ["§"]),
    ("/usr/bin/curl --proxy-user me:§ -sS x", ["§"]),
    ("sh -c 'curl -sS -u me:§ https://x'", ["§"]),
    ("curl https://hooks.slack.com/services/T0/B0/abcXYZ", ["abcXYZ"]),
    # a whole command in one argument
    ("sh -c 'curl --token § https://x'", ["§"]),
    ("sh -c 'export DB_PASSWORD=§; run'", ["§"]),
    ('sh -c \'PASSWORD="§ and more" run\'', ["§", "and more"]),
    ("bash -c 'PASSWORD=\"§\\\" and more\" run'", ["§", "and more"]),
    ("bash -c 'PASSWORD=\"§ and more'", ["§", "and more"]),
    ('bash -c "PASSWORD=a\'§ b\' run"', ["§ b"]),
    ("bash -c 'x --password=\"§ and more\" y'", ["§", "and more"]),
    ("bash -c 'x --password\t\"§ and more\" y'", ["§", "and more"]),
    ("bash -c 'x --passphrase §'", ["§"]),
    # JSON and the like
    ("""app '{"user": "a", "password": "§"}'""", ["§"]),
    ("""app '{"a": {"api_key":"§"}, "b": 1}'""", ["§"]),
    ("""app "{'token': '§ and more'}" """, ["§", "and more"]),
    ("""sh -c "app '{\\"password\\": \\"§ more\\"}'" """, ["§"]),
    ("app 'password: §'", ["§"]),
    # shapes
    *(
        (f"app {token}", [token])
        for token in (
            "ghp_abcdefghijklmnopqrst0123", "github_pat_11ABCDEFG0abcdefghijkl",
            "glpat-abcdefghijklmnop1234", "xoxb-123456789012-abcdef", "AKIAIOSFODNN7EXAMPLE",
            "AIza" + "a1B2" * 8 + "xyz", "hf_abcdefghijklmnopqrstuv",
            "sk_live_abcdefghij0123456789",
            "sk-proj-Abcdefghij0123456789", "npm_" + "a1" * 18, "dckr_pat_abcdefghij0123456789",
            "pypi-AgEIcHlwaS5vcmcCJDAwMDAwMDAw", "AGE-SECRET-KEY-1QQPQYQS2RTZQGPE9P8YPDYE5J9Z", JWT,
        )
    ),
    (shlex.join(["app", f"key={PEM}"]), ["b3BlbnNzaC1rZXktdjEAAAAA"]),
    (shlex.join(["app", PEM[:70]]), [PEM[36:70]]),
    (shlex.join(["app", PEM.replace("OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK")]),
     ["b3BlbnNzaC1rZXktdjEAAAAA"]),
]  # fmt: skip


def stored(argv: tuple[str, ...]) -> bytes:
    """The bytes of a record of a run with this command line."""
    clean, places = redact(argv)
    how = replace(run(clean), command=redact(argv)[0], redacted=places)
    record = replace(run_record(), run=how)
    assert Record.from_bytes(record.to_bytes()) == record
    return record.to_bytes()


@pytest.mark.parametrize(("line", "secrets"), LEAKS, ids=[line[:60] for line, _ in LEAKS])
@pytest.mark.parametrize("canary", ["hunter2Canary", "hunter2/+Canary.~", "h@nter2-Canary"])
def test_no_byte_of_a_secret_is_stored(line: str, secrets: list[str], canary: str) -> None:
    argv = tuple(a.replace("§", canary) for a in shlex.split(line))
    data = stored(argv)
    for secret in secrets:
        assert secret.replace("§", canary).encode() not in data
    assert redact(argv)[1]


HARMLESS = [
    "docker run -u 1000:1000 x",
    "curl -sS https://host.org:80/x -o a:b",
    "curl --user-agent a:b https://x",
    "app --max-tokens 100 --token-count 5 --num_tokens=7",
    "app --author X --authors=Y",
    "app --password-file f --token-path=/run/token --secret-name db",
    "docker login --password-stdin registry",
    "psql --no-password db",
    "singularity exec --passphrase app.sif cmd",
    "singularity exec --passphrase -B /a:/b app.sif cmd",
    "singularity exec --passphrase library://user/app cmd",
    "singularity exec --pwd /work app.sif make",
    "singularity exec --pwd=/work app.sif make",
    "singularity exec --pem-path=/keys/k.pem app.sif make",
    "singularity exec -B in.sif:/Inputs:image-src=/Inputs,ro app.sif gnuplot",
    "env PWD=/x OLDPWD=/y make",
    'gnuplot -e \'set xlabel "a:b"; set title "Basic statistics of Bearer cells"\'',
    "gnuplot -e 'key=value; set key left; plot \"x\" using 1:2'",
    "app key=value sort-key=3 --key a --sort-key b",
    "ffmpeg -pass 1 --low-pass 30",
    "train --pad-token '[PAD]' --eos_token '</s>'",
    "wget https://host.org:8080/a@b https://user@host.org/x ssh://git@host.org/x",
    "conda install sk-learn-pipeline-with-a-long-name pypi-mirror-of-something-long",
    "app --pattern '*.txt' --path x --compass N",
    "app 'author: me' 'a = b'",
    "Rscript -e 'x <- c(pass=TRUE)'",
    "tar --exclude='*.o' -C / -xf x.tar",
    "app -p 5 -P 7",
    "app AUTHOR=x --auth-type basic --basic something",
    "sh -c 'for i in 1 2; do echo $i; done'",
]


@pytest.mark.parametrize("line", HARMLESS)
def test_what_is_harmless_stays(line: str) -> None:
    argv = tuple(shlex.split(line))
    assert redact(argv) == (argv, ())


def test_the_places_are_told() -> None:
    clean, places = redact(["app", "--token", "x", "a", "KEY_TOKEN=b", "--password"])
    assert clean == ("app", "--token", HIDDEN, "a", f"KEY_TOKEN={HIDDEN}", "--password")
    assert places == (2, 4)


def test_an_option_behind_a_secret_option_is_no_value() -> None:
    assert redact(["app", "--token", "--verbose"])[1] == ()


def test_the_rest_of_a_line_stays() -> None:
    assert redact_text("a=1,DB_TOKEN=x,LANG=C") == f"a=1,DB_TOKEN={HIDDEN},LANG=C"
    assert redact_text("https://u:pw@host/x?y=1") == f"https://u:{HIDDEN}@host/x?y=1"


def test_bytes_that_are_no_utf8_pass() -> None:
    assert redact(["\udcff", "--token", "\udcfe"]) == (("\udcff", "--token", HIDDEN), (2,))


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("--password", True), ("password", True), ("PASSWORD", True), ("--Password", True),
        ("userPassword", True), ("a.b.secret", True), ("--pwd", False), ("PWD", True),
        ("--tokens", False), ("--tokenizer", False), ("--secretary", False), ("", False),
        ("--private-key", True), ("--public-key", False), ("--private-key-file", False),
        ("COMPASS", True), ("--compass", False), ("DB_AUTH", True), ("--auth", False),
    ],
)  # fmt: skip
def test_names(name: str, secret: bool) -> None:
    assert secret_name(name) is secret


@pytest.mark.parametrize(
    "piece",
    ["a.", "a://:", "sk-", "eyJ-",
     "eyJaaaaaaaa.", "bearer ", "a://", "--token ", "token=", "token", '"',
     "\\",
     "token='", "-----BEGIN PRIVATE KEY-----", "pass:", "a ", "&", "cookie: ", " ",
     "authorization:"],
)  # fmt: skip
def test_a_long_argument_takes_no_long_time(piece: str) -> None:
    """128 KiB is what the kernel allows one argument to have."""
    began = time.process_time()
    redact_text(piece * (128 * 1024 // len(piece)))
    assert time.process_time() - began < 3


# A text for each word that must stand in one of a shape, and letters that `(?i)` takes for others.
SHAPED = [
    "Authorization: abc", "Set-Cookie: abc", "Bearer abc123def456", "Basic dXNlcjpwYXNz01",
    "https://hooks.slack.com/services/T0/B0/abcXYZ", "curl -u me:abc https://x", "-passin pass:abc",
    "https://x/?sig=abc", "https://x/?signature=abc", "https://x/?\u017fig=abc", PEM, JWT,
    *(f"gh{kind}_{'a1' * 12}" for kind in "opsur"),
    *(f"xox{kind}-0123456789ab" for kind in "abeprs"),
    "github_pat_" + "a" * 22, "glpat-" + "a" * 20, "AKIA0123456789ABCDEF", "ASIA0123456789ABCDEF",
    "AIza" + "a" * 35, "hf_" + "a" * 24, "sk_live_" + "a" * 24, "sk-abcdefghij0123456789AB",
    "npm_" + "a" * 36, "dckr_pat_" + "a" * 24, "pypi-AgE" + "a" * 16,
    "AGE-SECRET-KEY-1" + "Q" * 20,
    "ya29." + "a" * 24, "SG." + "a" * 20 + "." + "b" * 20, "dop_v1_" + "0a" * 20,
    "xapp-" + "a" * 12,
    *(f"shp{kind}_{'0a' * 16}" for kind in ("at", "ss", "ca", "pa")), "12345678:AA" + "x" * 33,
]  # fmt: skip


@pytest.mark.parametrize("text", SHAPED)
def test_no_shape_is_passed_over_for_want_of_its_words(text: str) -> None:
    assert HIDDEN in redact_text(text) != text


def test_each_word_of_a_shape_is_tried() -> None:
    words = [word for some, _, _ in module._SHAPES for word in some]
    assert [w for w in words if not any(w in text.lower() for text in SHAPED)] == []


PARTS = [
    *SHAPED, "DB_PASS", "GH_PAT", "--token", "REDISCLI_AUTH", "pwd", "&", "?", " ", "\n", "=", ":",
    "'", "a", "--api-key", "-u ", "me:", "\u212a",
]  # fmt: skip


@given(st.lists(st.sampled_from(PARTS), max_size=6).map("".join))
def test_what_is_passed_over_has_no_shape(text: str) -> None:
    """Every pattern tried on every text finds no more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_SHAPES", tuple((("",), *rest) for _, *rest in module._SHAPES))
        patch.setattr(module, "_may_name", lambda text: True)
        thorough = redact_text(text), redact(text.split(" "))
    assert (redact_text(text), redact(text.split(" "))) == thorough


NAMES = sorted(
    {*module._WORDS, *module._WORD_ENDS, *module._VARIABLE_WORDS, "ROOTPASS"}
    | {f"{first}-{second}" for first, second in module._PAIRS}
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", [str, str.upper, str.title])
def test_every_name_that_sounds_secret_is_looked_at(name: str, form: Callable[[str], str]) -> None:
    assert module._may_name(form(name)) or not secret_name(form(name))
    for text in (f"--{form(name)}=x", f"{form(name)}=x", f"sh -c 'a --{form(name)} x'"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_may_name", lambda text: True)
            thorough = redact_text(text)
        assert redact_text(text) == thorough
