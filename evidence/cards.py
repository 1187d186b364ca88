"""The cards of published networks: what a network is, where it comes from, and a checksum of all that."""

import hashlib
import json
from pathlib import Path

WORDS = "name study config seed profile record metrics image classes precision bytes sha256 licence again sum"
KEYS = set(WORDS.split())
MAYBE = {"names"}  # of the classes; the first cards did not have them


def read(path: Path) -> dict:
    """A card. Raises ValueError if it is not JSON, lacks a key, was changed, or is another network's."""
    try:
        card = json.loads(written := path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"card {path} is not JSON: {error}") from error
    keys = set(card) - MAYBE if isinstance(card, dict) else set()
    if wrong := KEYS ^ keys:
        raise ValueError(f"card {path} lacks keys or has too many: {', '.join(sorted(wrong))}")
    if card["name"] != path.stem:
        told = f"it should name {path.stem!r}, found {card['name']!r}"
        raise ValueError(f"card {path} is of another network: {told}")
    if written != sealed({key: value for key, value in card.items() if key != "sum"}):
        raise ValueError(f"card {path} was damaged or changed by hand: its sum is not {card['sum']!r}")
    return card


def sealed(card: dict) -> bytes:
    """A card as it is written: in one form only, and with the sum of all the rest."""
    in_form = lambda content: json.dumps(content, indent=1, sort_keys=True)
    whole = card | {"sum": hashlib.sha256(in_form(card).encode()).hexdigest()}
    return (in_form(whole) + "\n").encode()
