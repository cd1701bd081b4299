"""JSON extraction: a schema in the system prompt, a message of the user, one JSON object as the answer."""
import json

from fields import COLORS, FIELDS, JOBS, THINGS, TOPICS
from tools import value

SYSTEM = [
    ["Extract JSON: ", "Extract the data as JSON: ", "Fill in this schema: ", "Answer with JSON by this schema: ", "Return JSON like this: ",
     "Read the message and fill the schema. ", "Schema: ", "Output JSON only. Schema: "],
    ["Give me the data as JSON in this form: ", "Turn the message into JSON. Schema: "]]


def field_value(source, kind):
    lists = {"thing": THINGS, "color": COLORS, "job": JOBS}
    if kind in lists:
        word = source.world(lists[kind])
        return f"{source.made_up()} {word}" if kind == "thing" and source.chance(0.3) else word
    return source.rng.randint(18, 90) if kind == "age" else value(source, kind)


def case(source):
    """One conversation. Fields the message does not tell are null; what it tells beyond the schema is left out."""
    rng = source.rng
    topic = source.one(TOPICS)
    names = topic[2].split()
    schema = rng.sample(names, rng.choice([1, 2, 2, 3, 3, 4, 4, 5]))
    told = [n for n in schema if not source.chance(0.06)]
    told += [n for n in names if n not in schema and source.chance(0.15)]
    rng.shuffle(told)
    data, sentences = {}, [source.one(topic[source.held])] if source.chance(0.6) else []
    for n in told:
        says, _, fixed = source.wording(FIELDS[n]["says"]).strip().partition(" => ")
        v = fixed == "true" if fixed else field_value(source, FIELDS[n]["value"])
        data[n] = v
        sentences.append(" ".join(says.replace("{}", str(v)).split()))
    if not sentences:
        sentences = [source.one(topic[source.held])]
    stop = source.one([". ", ". ", ". ", ", ", "\n"])
    text = stop.join(s if stop != ", " or not i or s.startswith("I ") or ":" in s else s[0].lower() + s[1:] for i, s in enumerate(sentences))
    text += "." if stop == ". " else ""
    keys = {n: rng.choice(FIELDS[n]["keys"]) for n in schema}
    kinds = {keys[n]: FIELDS[n]["type"] for n in schema}
    if source.chance(0.3):
        shown = {"type": "object", "properties": {k: {"type": t} for k, t in kinds.items()}}
    else:
        shown = kinds
    answer = json.dumps({keys[n]: data.get(n) for n in schema}, ensure_ascii=False)
    return {"messages": [{"role": "system", "content": source.world(SYSTEM) + json.dumps(shown)}, {"role": "user", "content": text}], "answer": answer}
