"""Routing: the system prompt lists labels with descriptions, the answer is the one label that fits the message."""
import words
from intents import INTENTS

SYSTEM = words.systems("routing", "\n")


def spell(label, style):
    """A label such as card_lost in one of five spellings."""
    words = label.split("_")
    return {"snake": label, "kebab": "-".join(words), "upper": label.upper(), "camel": words[0] + "".join(w.capitalize() for w in words[1:]),
            "plain": " ".join(words)}[style]


def case(source, turns=1):
    """One conversation: a list of labels and `turns` messages, each with its answer; the last answer is apart."""
    rng = source.rng
    chosen = rng.sample(INTENTS, rng.choice([3, 3, 4, 4, 5, 6, 8]))
    if source.chance(0.4):            # neighbours of the same domain are the hard cases
        same = [i for i in INTENTS if i["domain"] == chosen[0]["domain"] and i is not chosen[0]]
        chosen[1:3] = rng.sample(same, 2)
        chosen = list({i["labels"][0]: i for i in chosen}.values())
    rng.shuffle(chosen)
    style = rng.choice(["snake", "snake", "snake", "kebab", "upper", "camel", "plain"])
    mark, between = rng.choice(["", "", "- "]), rng.choice([": ", ": ", " - ", " = "])
    labels = [spell(rng.choice(i["labels"]), style) for i in chosen]
    lines = [f"{mark}{label}{between}{rng.choice(i['about'])}" for label, i in zip(labels, chosen)]
    messages = [{"role": "system", "content": source.world(SYSTEM) + "\n".join(lines)}]
    for _ in range(turns):
        right = rng.randrange(len(chosen))
        messages += [{"role": "user", "content": source.chatter(source.wording(chosen[right]["says"]))},
                     {"role": "assistant", "content": labels[right]}]
    return {"messages": messages[:-1], "answer": messages[-1]["content"]}
