"""Claims and headers that no token of ours has, by what is odd about them; a claim that is `...` is left out."""

import time

ODD_NUMBERS = {
    "missing": ...,
    "null": None,
    "negative": -1,
    "a word": "never",
    "a numeric string": "4000000000",
    "huge": 10**20,
    "absurd": 10**400,
    "a fraction": 4000000000.5,
    "infinite": float("inf"),
    "not a number": float("nan"),
    "true": True,
    "a list": [4000000000],
    "an object": {"a": 1},
}
ODD_IDS = {
    "missing": ...,
    "null": None,
    "a number": 5,
    "a list": ["0" * 32],
    "empty": "",
    "short": "0" * 31,
    "in capitals": "A" * 32,
    "with a line end": "0" * 32 + "\n",
}
ODD_USERS = {
    "missing": ...,
    "null": None,
    "a number": 1,
    "a list": [1],
    "an object": {"a": 1},
    "a word": "abc",
    "empty": "",
    "with NUL": "1\0",
    "with spaces": " 1 ",
    "with a line end": "1\n",
    "with a zero in front": "01",
    "in Arabic digits": "\N{ARABIC-INDIC DIGIT ONE}",
    "true": True,
    "a fraction": 1.5,
    "negative": "-1",
    "zero": "0",
    "huge": 10**30,
    "huge in text": "9" * 19,
    "absurd in text": "9" * 5000,
    "unknown": "4711",
}
ODD_AUDIENCES = {
    "missing": ...,
    "null": None,
    "empty": "",
    "foreign": "elsewhere",
    "a prefix of ours": "server",
    "a list without us": ["elsewhere"],
    "a list with us": ["serverlab", "serverlab-plain"],
    "a number": 5,
}
ODD_CLAIMS = {
    **{f"exp {what}": {"exp": value} for what, value in ODD_NUMBERS.items()},
    "exp in the past": {"exp": 1},
    "exp now": {"exp": int(time.time())},
    **{f"iat {what}": {"iat": value} for what, value in ODD_NUMBERS.items()},
    "iat in the future": {"iat": 4000000000},
    "nbf in the future": {"nbf": 4000000000},
    "nbf a word": {"nbf": "later"},
    "nbf infinite": {"nbf": float("inf")},
    **{f"ver {what}": {"ver": value} for what, value in ODD_NUMBERS.items()},
    "ver of before": {"ver": 1},
    **{f"user {what}": {"user_id": value} for what, value in ODD_USERS.items()},
    **{f"jti {what}": {"jti": value} for what, value in ODD_IDS.items()},
    **{f"fam {what}": {"fam": value} for what, value in ODD_IDS.items()},
    **{f"aud {what}": {"aud": value} for what, value in ODD_AUDIENCES.items()},
    **{f"iss {what}": {"iss": value} for what, value in ODD_AUDIENCES.items()},
    **{
        f"type {value!r}": {"token_type": value}
        for value in (..., None, "Access", "", ["access", "refresh"], {"access": 1}, 5)
    },
    **{f"role {value!r}": {"role": value} for value in (..., None, "root", "", ["admin"], 5)},
    "sub a number": {"sub": 5},
}
KNOWN_TO_THE_DATABASE = ("ver of before", "user unknown")
ODD_NAMES = {repr(value)[:9]: {"name": value} for value in (..., None, "", 5, ["reader"], "x" * 151)}
ODD_ENDS = {f"end {what}": {"end": value} for what, value in ODD_NUMBERS.items()}
ODD_HEADERS = {
    **{
        f"alg {alg!r}": {"alg": alg}
        for alg in ("none", "None", "NONE", "nOnE", "none ", "", "hs256", "HS384")
    },
    **{f"alg {alg!r}": {"alg": alg} for alg in ("RS256", "EdDSA", None, [], 5, {"a": 1}, ["HS256"])},
    "alg missing": {"typ": "JWT"},
    "alg twice": b'{"alg":"HS256","alg":"none"}',
    "alg twice, the other order": b'{"alg":"none","alg":"none"}',
    "critical extension": {"alg": "HS256", "crit": ["unknown"], "unknown": 1},
    "payload not encoded": {"alg": "HS256", "crit": ["b64"], "b64": False},
    "kid a number": {"alg": "HS256", "kid": 5},
    "kid null": {"alg": "HS256", "kid": None},
    "kid a list": {"alg": "HS256", "kid": []},
    "kid empty": {"alg": "HS256", "kid": ""},
    "kid a path": {"alg": "HS256", "kid": "../../../../dev/null"},
    "kid SQL": {"alg": "HS256", "kid": "' OR 1=1 --"},
    "kid a command": {"alg": "HS256", "kid": "|sleep 5"},
    "kid long": {"alg": "HS256", "kid": "k" * 10_000},
    "no object": b"[]",
    "no UTF-8": b"\xff\xfe",
    "with a BOM": b'\xef\xbb\xbf{"alg":"HS256"}',
    "UTF-16 without a mark": '{"alg":"HS256"}'.encode("utf-16-le"),
    "UTF-16": '{"alg":"HS256"}'.encode("utf-16"),
    "deep": b'{"alg":' * 50_000,
}
