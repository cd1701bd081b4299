"""The pool of intents for routing, from wordings/intents.txt: labels, descriptions, wordings of both worlds."""
import words


def parse(lines):
    intents, domain = [], None
    part = None
    for line in lines:
        if line.startswith("# "):
            domain = line[2:]
        elif " | " in line and "[" not in line:
            labels, about = line.split(" | ")
            part = 0
            intents.append({"domain": domain, "labels": labels.split(", "), "about": about.split("; "), "says": ([], [])})
        elif line == "---":
            part = 1
        else:
            intents[-1]["says"][part].append(line)
    return intents


INTENTS = parse(words.lines("intents"))
