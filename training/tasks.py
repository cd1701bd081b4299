"""All tasks together: the mixture for training, the exercises of the curriculum, and the chat template as plain Python."""
import json

import extraction
import routing
import talk
import tools
from fields import FIELDS, TOPICS
from functions import FUNCTIONS
from intents import INTENTS

TASKS = {"routing": routing.case, "tools": tools.case, "json": extraction.case, "talk": talk.case}
EVALS = ("routing", "tools", "json")   # the tasks with a bar; tools and json are scored by exact text too


def copying(source):
    """Made-up names repeated as a tool call or as JSON: teaches to copy before there is anything to understand."""
    rng = source.rng
    makers = [source.person, source.city, source.code, source.email, source.street, source.company, source.date, source.time, source.phone,
              lambda: tools.value(source, "topic"), source.large, source.amount]
    keys = [k.lower() for k in (source.made_up(1, 2) for _ in range(rng.randint(1, 4)))]
    data = {k: rng.choice(makers)() for k in keys}
    told = list(data.items())
    rng.shuffle(told)
    text = rng.choice([". ", ", ", "; "]).join(rng.choice(["{}: {}", "{} is {}", "{} = {}"]).format(k, v) for k, v in told)
    if rng.random() < 0.5:
        name = source.made_up(1, 2).lower()
        system, answer = f"Call {name}({', '.join(keys)})", ", ".join(f"{k}={tools.literal(data[k])}" for k in data)
        answer = f"<|tool_call_start|>[{name}({answer})]<|tool_call_end|>"
    else:
        system, answer = "Extract JSON: " + json.dumps({k: "string" if isinstance(v, str) else "number" for k, v in data.items()}), json.dumps(data)
    return {"messages": [{"role": "system", "content": system}, {"role": "user", "content": text}], "answer": answer}


def naming(source, turns=1):
    """Sentences named by their intent, function or field, with no list to choose from: what words mean, learned for itself."""
    kind = source.one(["intent", "intent", "function", "field"])
    messages = [{"role": "system", "content": f"Name the {kind}."}]
    for _ in range(turns):
        if kind == "intent":
            entry = source.one(INTENTS)
            text, name = source.chatter(source.wording(entry["says"])), entry["labels"][0]
        elif kind == "function":
            entry = source.one(FUNCTIONS)
            text, name = source.chatter(tools.request(source, entry)[0]), entry["name"]
        else:
            name = source.one(list(FIELDS))
            text, _ = extraction.sentence(source, name)
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": name}]
    return {"messages": messages[:-1], "answer": messages[-1]["content"]}


def calls(source, turns=1):
    """Tool calls for requests with no functions listed: short, so that most of what is read is a request and most of what is predicted an argument."""
    messages = [{"role": "system", "content": "Write the call."}]
    for _ in range(turns):
        text, answer = tools.turn(source, source.one(["one", "one", "two"]), FUNCTIONS, None)
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": answer}]
    return {"messages": messages[:-1], "answer": messages[-1]["content"]}


def values(source, turns=1):
    """Everything that a message tells as JSON, with no schema: which words are the value of a field, learned for itself."""
    messages = [{"role": "system", "content": "Tell all values."}]
    for _ in range(turns):
        topic = source.one(TOPICS)
        names = topic[2].split()
        text, data = extraction.message(source, topic, names, source.rng.sample(names, source.rng.randint(2, 5)))
        answer = {source.one(FIELDS[n]["keys"]): data[n] for n in FIELDS if n in data}     # in the pool's order, not the message's: the key says where to look
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": json.dumps(answer, ensure_ascii=False)}]
    return {"messages": messages[:-1], "answer": messages[-1]["content"]}


EXERCISES = {"copy": lambda source, turns: copying(source), "naming": naming, "calls": calls, "values": values}


def mixed(source, weights, turns=1):
    """A case of a random task or exercise; weights: name -> share."""
    name = source.rng.choices(list(weights), list(weights.values()))[0]
    return (TASKS | EXERCISES)[name](source, turns)


def prompt(case):
    """What chat_template.jinja renders for the case, with the generation prompt (tested against the template)."""
    messages, system = list(case["messages"]), ""
    if messages[0]["role"] == "system":
        system = messages.pop(0)["content"]
    if case.get("tools"):
        system += ("\n" if system else "") + "List of tools: <|tool_list_start|>[" + \
            ", ".join(json.dumps(t, ensure_ascii=False) for t in case["tools"]) + "]<|tool_list_end|>"
    head = f"<|im_start|>system\n{system}<|im_end|>\n" if system else ""
    turns = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages)
    return f"<|startoftext|>{head}{turns}<|im_start|>assistant\n"
