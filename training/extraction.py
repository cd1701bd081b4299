"""JSON extraction: a schema in the system prompt, a message of the user, one JSON object as the answer."""
import json

import words
from fields import FIELDS, TOPICS
from items import item
from tools import value

SYSTEM = words.systems("json", " ")


def field_value(source, kind):
    if kind == "thing":
        word = item(source, kind)
        return f"{source.made_up()} {word}" if source.chance(0.3) else word
    return source.rng.randint(18, 90) if kind == "age" else value(source, kind)


def sentence(source, name):
    """A sentence that tells a field, and the value it tells."""
    while True:
        says, _, fixed = source.wording(FIELDS[name]["says"]).strip().partition(" => ")
        if source.held or not says.startswith("{}") or source.chance(0.25):      # what comes before its cue is hard to find: not too often
            break
    value = fixed == "true" if fixed else field_value(source, FIELDS[name]["value"])
    return " ".join(says.replace("{}", str(value)).split()), value


def message(source, topic, names, schema):
    """A message on the topic and the data it tells: some fields of the schema may be missing, others may be told besides."""
    told = [n for n in schema if not source.chance(0.06)]
    told += [n for n in names if n not in schema and source.chance(0.15)]
    source.rng.shuffle(told)
    data, sentences = {}, [source.one(topic[source.held])] if source.chance(0.6) or not told else []
    for n in told:
        text, data[n] = sentence(source, n)
        sentences.append(text)
    stop = source.one([". ", ". ", ". ", ", ", "\n"])
    large = lambda i, s: stop != ", " or not i or s.startswith("I ") or ":" in s
    text = stop.join(s if large(i, s) else s[0].lower() + s[1:] for i, s in enumerate(sentences))
    return text + ("." if stop == ". " else ""), data


def case(source, turns=1):
    """One conversation: a schema and `turns` messages. Fields a message does not tell are null, what it tells beyond is left out."""
    rng = source.rng
    topic = source.one(TOPICS)
    names = topic[2].split()
    schema = rng.sample(names, rng.choice([1, 2, 2, 3, 3, 4]))
    keys = {n: rng.choice(FIELDS[n]["keys"]) for n in schema}
    kinds = {keys[n]: FIELDS[n]["type"] for n in schema}
    shown = {"type": "object", "properties": {k: {"type": t} for k, t in kinds.items()}} if source.chance(0.2) else kinds
    messages = [{"role": "system", "content": source.world(SYSTEM) + json.dumps(shown)}]
    for _ in range(turns):
        text, data = message(source, topic, names, schema)
        answer = json.dumps({keys[n]: data.get(n) for n in schema}, ensure_ascii=False)
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": answer}]
    return {"messages": messages[:-1], "answer": answer}
