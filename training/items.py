"""Values that are words: real ones from wordings/items.txt, and in training any others in their place."""
import re

import words
from fields import FIELDS
from functions import FUNCTIONS, TOPIC
from intents import INTENTS


def parse(lines):
    """Kind of value -> its words, as (training, held out)."""
    found = {}
    for line in lines:
        if line.startswith("# "):
            found[line[2:]] = kind = []
        elif line != "---":
            kind.append(line.split("|"))
    return found


ITEMS = parse(words.lines("items"))
HELD = {word for _, held in ITEMS.values() for item in held for word in item.lower().split()}
ANY = sorted({word for entry in [*FUNCTIONS, *FIELDS.values(), *INTENTS] for pattern in entry["says"][0]
              for word in re.findall(r"(?<![{\w])[a-z]{3,12}(?![}\w])", pattern)} - HELD)
"""Words of the training wordings."""


def item(source, kind):
    """A value of this world. In training nearly half have a made-up word or just any word in their first place: what is copied need not be known."""
    word = source.world(ITEMS[kind])
    if source.held or source.chance(0.55):
        return word
    first, *rest = word.split(" ")
    if first.islower() and source.chance(0.6):
        new = source.one(ANY)
    else:
        new = source.made_up(1, 2)
        new = new[:3].upper() if first.isupper() else new.lower() if first.islower() else new
    return " ".join([new, *rest])


def topic_pattern(source):
    """A pattern of a topic; in training any word may be the last: "the {} report", "the {} umbrella"."""
    pattern = source.one(TOPIC[source.held])
    if source.held or source.chance(0.5):
        return pattern
    return re.sub(r"(?<=\{\} )[a-z]+$", lambda _: source.one(ANY), pattern)
