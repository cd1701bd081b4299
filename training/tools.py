"""Tool calls: functions in the system prompt, a request of the user, calls in LFM2's own format or plain text."""
import json

import talk
import words
from functions import FUNCTIONS
from items import ITEMS, item, topic_pattern

SYSTEM = [[""] * n + told for n, told in zip((12, 2), words.systems("tools", ""))]
JOIN = [[" and ", ". Also ", ". Then ", "; ", ", and ", ". ", ", then ", ". Next, ", " and then ", ". Besides, ", ", also ", ". Afterwards, ", ". Oh, and ", " plus ",
         ". In addition, ", "; then ", ". Second: ", ". Finally, ", ", and please ", ". One more thing: ", " as well as "], [" and also ", ". After that, ", ". And "]]
NO_TOOL = "Sorry, none of my tools can do that."


def value(source, kind):
    """A value of one kind of argument."""
    rng = source.rng
    if kind in ITEMS:
        return item(source, kind)
    if kind == "topic":
        return source.drawn(lambda: topic_pattern(source).replace("{}", _word(source)))
    if kind == "place":
        return source.made_up() + source.one(["", "", " House", " Garden", " Grill", " Arena"])
    if kind == "symbol":
        return source.drawn(lambda: "".join(rng.choice("ABCDEFGHIKLMNOPRSTUVXZ") for _ in range(rng.randint(3, 4))))
    if kind == "host":
        return source.drawn(lambda: f"{rng.choice(['web', 'db', 'mail', 'app', 'cache', 'build'])}-{rng.randint(1, 99)}")
    if kind == "degrees":
        return source.one([rng.randint(1, 25), rng.randint(2, 50) / 2])
    ranges = {"people": (2, 12), "small": (1, 5), "minutes": (2, 120), "percent": (5, 100)}
    return rng.randint(*ranges[kind]) if kind in ranges else getattr(source, kind)()


def _word(source):
    return source.made_up() if source.chance(0.6) else source.made_up().lower()


def literal(v):
    return f'"{v}"' if isinstance(v, str) else str(v)


def request(source, function):
    """A wording for a function and the call it asks for."""
    pattern, _, fixed = source.wording(function["says"]).partition(" => ")
    given, words = {}, " ".join(pattern.split())
    for name, _, kind in function["params"]:
        if "{" + name + "}" in pattern:
            v = value(source, kind)
            while v in given.values():
                v = value(source, kind)
            given[name] = v
            words = words.replace("{" + name + "}", str(v))
        elif fixed.startswith(name + "="):
            given[name] = fixed.split("=")[1] == "True" if fixed[-1] == "e" else int(fixed.split("=")[1])
    args = ", ".join(f"{n}={literal(v)}" for n, v in given.items())
    return words, f"{function['name']}({args})"


def schema(source, function, style):
    """The function as JSON; `style`: 0 plain, 1 wrapped as OpenAI does, 2 without the list of required parameters."""
    always = [n for n, _, _ in function["params"]
              if all("{" + n + "}" in p or f"=> {n}=" in p for w in function["says"] for p in w)]
    body = {"type": "object", "properties": {n: {"type": t} for n, t, _ in function["params"]}}
    if style != 2:
        body["required"] = always
    tool = {"name": function["name"], "description": function["about"], "parameters": body}
    return {"type": "function", "function": tool} if style == 1 else tool


def turn(source, kind, offered, spare):
    """A message and its answer; kind: one call, two calls, none that fits, or small talk beside tools."""
    rng = source.rng
    if kind == "talk":
        return talk.pair(source)
    if kind == "none":
        return source.chatter(request(source, spare)[0]), NO_TOOL
    parts = [request(source, rng.choice(offered)) for _ in range(1 if kind == "one" else 2)]
    text = parts[0][0]
    for words, _ in parts[1:]:
        join = source.world(JOIN)
        small = join != ". " and words.split()[0] in STARTS
        text += join + (words[0].lower() + words[1:] if small else words)
    return source.chatter(text), f"<|tool_call_start|>[{', '.join(c for _, c in parts)}]<|tool_call_end|>"


def case(source, turns=1):
    """One conversation: some functions and `turns` requests, each with its answer; the last answer is apart."""
    rng = source.rng
    *offered, spare = rng.sample(FUNCTIONS, rng.choice([1, 1, 2, 2, 3]) + 1)
    style = rng.choices([0, 1, 2], [0.8, 0.1, 0.1])[0]
    system = source.world(SYSTEM)
    messages = [{"role": "system", "content": system}] if system else []
    for _ in range(turns):
        kind = rng.choices(["one", "two", "none", "talk"], [0.6, 0.22, 0.12, 0.06])[0]
        text, answer = turn(source, kind, offered, spare)
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": answer}]
    return {"messages": messages[:-1], "tools": [schema(source, f, style) for f in offered], "answer": answer}


STARTS = {w.split("|")[0] for f in FUNCTIONS for world in f["says"] for p in world for w in [p.lstrip("[").split()[0].strip("]")]} - {"I"}
"""First words of requests: they may be written small in the middle of a sentence."""
STARTS |= {a for f in FUNCTIONS for world in f["says"] for p in world if p.startswith("[") for a in p[1:p.index("]")].split("|")}
STARTS = {a.split()[0] for a in STARTS if a and "{" not in a and not a.startswith("I ")} - {"I"}
