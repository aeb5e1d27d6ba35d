"""Canonical JSON (FORMAT.md, section 1), the sorts of values in it, and how anything is refused."""

import hashlib
import json
import re

from second.ed25519 import signed


class Refused(Exception):
    """What was read is not what FORMAT.md describes; the text names it."""


def need(holds, told):
    """Refuses with the text `told` unless `holds`."""
    if not holds:
        raise Refused(told)


def sha256(data):
    """SHA-256 as the format writes it: lowercase hexadecimal."""
    return hashlib.sha256(data).hexdigest()


class Number(str):
    """A number as it was written."""


def members(pairs):
    """An object's members; one that stands there twice is refused."""
    found = dict(pairs)
    need(len(found) == len(pairs), "a member stands twice in JSON")
    return found


def constant(name):
    """NaN and the infinities, which Python reads, are no JSON."""
    raise Refused(f"{name} in JSON")


def canonical(value, level=0):
    """The canonical text of a value."""
    need(level <= 128, "JSON of more than 128 levels")
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{canonical(name)}:{canonical(value[name], level + 1)}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(canonical(item, level + 1) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def parse(data, what):
    """The object of a canonical text, its numbers as they were written; any other form of it is refused."""
    try:
        value = json.loads(data.decode(), object_pairs_hook=members, parse_int=Number, parse_float=Number, parse_constant=constant)
        need(canonical(value).encode() == data, f"{what} is not canonical JSON")
    except (ValueError, RecursionError) as error:
        raise Refused(f"{what} is no JSON: {error}") from error
    return record_of(value, what)


def check_signature(record, head, signer, what):
    """Refuses a record that its member `signature` does not sign."""
    signature = digits(record.get("signature"), f"the signature of {what}", 128)
    rest = canonical({name: value for name, value in record.items() if name != "signature"})
    need(signed(bytes.fromhex(signer), f"{head}\n{rest}".encode(), bytes.fromhex(signature)), f"the signature of {what} is wrong")


# --- sorts of values


def record_of(value, what):
    """An object of JSON."""
    need(isinstance(value, dict), f"{what} is no object of JSON")
    return value


def each(record, name, sort=dict):
    """The list under a name, with values of one sort; an empty one is left out."""
    found = record.get(name, [])
    need(isinstance(found, list) and all(type(value) is sort for value in found), f"{name} is no list of such values")
    return found


def number(value, what, limit=1 << 62):
    """A whole number from 0 to `limit`."""
    need(isinstance(value, Number) and re.fullmatch("0|[1-9][0-9]{0,18}", value) and int(value) <= limit, f"{what} is no number up to {limit}")
    return int(value)


def digits(value, what, count=64):
    """Lowercase hexadecimal of `count` digits."""
    need(type(value) is str and re.fullmatch(f"[0-9a-f]{{{count}}}", value), f"{what} is not {count} hexadecimal digits")
    return value


def text(value, what):
    """A text."""
    need(type(value) is str, f"{what} is no text")
    return value
