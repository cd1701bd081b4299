"""Small talk and short questions about lfm.cpp, with fixed answers, from wordings/talk.txt."""
import words


def parse(lines):
    pairs, part = [], 0
    for line in lines:
        if line.startswith("> "):
            pairs.append({"answer": line[2:], "says": ([], [])})
            part = 0
        elif line == "---":
            part = 1
        else:
            pairs[-1]["says"][part].extend(line.split("|"))
    return pairs


PAIRS = parse(words.lines("talk"))


def pair(source):
    """A question and its answer."""
    entry = source.one(PAIRS)
    text = source.wording(entry["says"]).replace("{}", source.made_up())
    end = "?" if text.split()[0] in QUESTION else source.one([".", "!", ""])
    text += "" if text[-1] in "?.!" else source.one([end, end, ""])
    return text if source.chance(0.85) else text.lower() if text.isascii() else text, entry["answer"]


QUESTION = set("What How Who Which Where When Why Is Are Do Does Can May Will Am Must Could In On Under Have".split())


def case(source, turns=1):
    """One conversation without a system prompt, or with a plain one."""
    messages = [{"role": "system", "content": source.one(SYSTEM)}] if source.chance(0.25) else []
    for _ in range(turns):
        text, answer = pair(source)
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": answer}]
    return {"messages": messages[:-1], "answer": answer}


SYSTEM = ["You are a helpful assistant.", "Be brief.", "Answer briefly.", "You are a friendly assistant."]
