"""Routing: the system prompt lists labels with descriptions, the answer is the one label that fits the message."""
from intents import INTENTS

SYSTEM = [
    ["Choose the label for the message.\n", "Pick one label.\nLabels:\n", "Classify the message. Labels:\n", "Which label fits? Answer with the label only.\n",
     "You route tickets. Answer with one label.\n", "Route the user's message to one of these labels:\n", "Labels:\n", "Sort the request into one of:\n"],
    ["Select the right label for this ticket.\n", "Answer with the one label that fits the message.\nLabels:\n", "Assign one label to the message:\n"]]


def spell(label, style):
    """A label such as card_lost in one of five spellings."""
    words = label.split("_")
    return {"snake": label, "kebab": "-".join(words), "upper": label.upper(), "camel": words[0] + "".join(w.capitalize() for w in words[1:]),
            "plain": " ".join(words)}[style]


def case(source, n_labels=None):
    """One conversation and its answer."""
    rng = source.rng
    n = n_labels or rng.choice([3, 3, 4, 4, 5, 6, 7, 8])
    chosen = rng.sample(INTENTS, n)
    if source.chance(0.4):            # neighbours of the same domain are the hard cases
        same = [i for i in INTENTS if i["domain"] == chosen[0]["domain"] and i is not chosen[0]]
        chosen[1:3] = [i for i in rng.sample(same, 2)]
        chosen = list({i["labels"][0]: i for i in chosen}.values())
    right = chosen[0]
    rng.shuffle(chosen)
    style = rng.choice(["snake", "snake", "snake", "kebab", "upper", "camel", "plain"])
    mark, between = rng.choice(["", "", "- "]), rng.choice([": ", ": ", " - ", " = "])
    lines, answer = [], None
    for intent in chosen:
        label = spell(rng.choice(intent["labels"]), style)
        lines.append(f"{mark}{label}{between}{rng.choice(intent['about'])}")
        answer = label if intent is right else answer
    text = source.chatter(source.wording(right["says"]))
    return {"messages": [{"role": "system", "content": source.world(SYSTEM) + "\n".join(lines)}, {"role": "user", "content": text}],
            "answer": answer}
