"""What a model's answer says: letters, boxed integers, code blocks, judge's verdicts. Pure text, standard library only.

The rules are those that the protocol behind the model card uses, as far as they are known (docs/evals.md).
"""
import json
import math
import re

# In order; of each pattern the last match counts, and only if its letter is one of the item's options: else the next pattern is tried.
# Patterns 6 to 8 guess, so the report counts answers by pattern.
LETTER_PATTERNS = [re.compile(pattern) for pattern in (
    r"(?i)[\*\_]{0,2}Answer[\*\_]{0,2}\s*:[\s\*\_]{0,2}\s*([A-Z])(?![a-zA-Z0-9])",
    r"\\boxed\{[^}]*([A-Z])[^}]*\}",
    r"answer is ([a-zA-Z])",
    r"answer is \(([a-zA-Z])",
    r"([A-Z])\)\s*[^A-Z]*$",
    r"([A-Z])\s+is\s+the\s+correct\s+answer",
    r"([A-Z])\s*$",
    r"([A-Z])\s*\.",
    r"([A-Z])\s*[^\w]",
)]


def letter(text, options):
    """The chosen letter among the first `options` of the alphabet, and the index of the pattern that found it; (None, None) without one."""
    allowed = {chr(ord("A") + i) for i in range(options)}
    text = text.strip()
    if len(text) == 1 and text.upper() in allowed:
        return text.upper(), -1
    for index, pattern in enumerate(LETTER_PATTERNS):
        found = pattern.findall(text)
        if found and found[-1].upper() in allowed:
            return found[-1].upper(), index
    return None, None


def boxed(text):
    """The inside of the last \\boxed{...} whose braces balance, or None."""
    start = len(text)
    while (start := text.rfind("\\boxed", 0, start)) >= 0:
        opening = re.compile(r"\s*\{").match(text, start + len("\\boxed"))
        depth = 0
        for at in range(opening.end() - 1, len(text)) if opening else ():
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            if depth == 0:
                return text[opening.end():at]
    return None


def integer(text):
    """An AIME answer as an integer: `070`, `$70$`, `\\text{70}`, `70^\\circ`, `1{,}000`, `140/2`; None for anything else."""
    if text is None:
        return None
    text = re.sub(r"\\(?:text|mathrm|mathbf)\s*\{([^{}]*)\}", r"\1", text)
    text = re.sub(r"\^\s*(?:\\circ|\{\s*\\circ\s*\})|\\[,;! ]|\\left|\\right|[\s$,{}]|\.0*$", "", text.replace("{,}", ""))
    ratio = re.fullmatch(r"([+-]?\d{1,30})/([1-9]\d{0,30})", text)
    if ratio:
        number, rest = divmod(int(ratio.group(1)), int(ratio.group(2)))
        return None if rest else number
    return int(text) if re.fullmatch(r"[+-]?\d{1,30}", text) else None


def python_block(text):
    """The first ```python block, else None."""
    found = re.search(r"(?<=```python\n)(.+?)(?=\n```)", text, re.DOTALL)
    return found.group(1) if found else None


def plain(text):
    """For comparing short answers: lower case, no outer quotes or full stop, no TeX dollars, single spaces, no commas within numbers."""
    text = re.sub(r"\\(?:text|mathrm|mathbf)\s*\{([^{}]*)\}", r"\1", text.strip().lower().replace("$", ""))
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    return re.sub(r"\s+", " ", text).strip(" .\"'`*")


def hle_answer(text):
    """The `Answer:` part of an answer in HLE's format, or None; and the stated confidence in 0..1 (1 when none is stated, as officially)."""
    answer = re.findall(r"(?im)^[\s*_]*answer[\s*_]*:[\s*_]*(.+?)[\s*_]*$", text)
    confidence = re.findall(r"(?im)^[\s*_]*confidence[\s*_]*:[\s*_]*(\d{1,3})", text)
    return answer[-1] if answer else None, min(int(confidence[-1]), 100) / 100 if confidence else 1.0


def hle_offline(text, answer, answer_type):
    """Whether an answer is right as far as that can be told without a judge: a lower bound."""
    said, _ = hle_answer(text)
    if said is None:
        return False
    if answer_type == "multipleChoice":
        found = re.match(r"\(?([A-Za-z])\b", said)
        return bool(found) and found.group(1).upper() == answer.strip().upper()
    return plain(said) == plain(answer)


def judged(text):
    """A judge's verdict: True, False, or None when there is none. Takes the line format and JSON."""
    try:
        value = json.loads(text[text.index("{"):text.rindex("}") + 1]).get("correct")
        if value in ("yes", "no"):
            return value == "yes"
    except (ValueError, AttributeError):
        pass
    found = re.findall(r"(?im)^[\s*_]*correct[\s*_]*:[\s*_]*(yes|no)\b", text)
    return found[-1].lower() == "yes" if found else None


def label_probabilities(top, letters):
    """Probabilities of `letters` from one position's [(token, logprob)], scaled to sum 1; None if no letter is among them.

    Tokens with and without a leading space count together.
    """
    mass = dict.fromkeys(letters, 0.0)
    for token, logprob in top:
        if token.strip() in mass and logprob is not None:
            mass[token.strip()] += math.exp(logprob)
    total = sum(mass.values())
    return {key: value / total for key, value in mass.items()} if total > 0 else None
