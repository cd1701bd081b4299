"""GPQA Diamond and MMLU-Pro: a letter by the protocol's prompt and cascade of patterns."""
import random

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import Target, scorer

import answers
from settings import chosen, repeats
from tasks.common import ask, average, records, score
from tasks.model import model

PROMPT = ("Answer the following multiple choice question. The last line of your response should be in the following format: 'Answer: {letters}' "
          "(e.g. 'Answer: A').\n\n{question}\n\n{options}")


def prompt(question, options, letters):
    lines = "\n".join(f"{chr(ord('A') + i)}) {option}" for i, option in enumerate(options))
    return PROMPT.format(letters="/".join(letters), question=question, options=lines)


@scorer(metrics=[average()])
def by_letter():
    async def compute(state, target: Target):
        letter, pattern = answers.letter(state.output.completion, state.metadata["options"])
        reason = None if letter or not state.output.completion else "no letter found"
        return score(letter == target.text, state, answer=letter, reason=reason, pattern=pattern)
    return compute


@task
def gpqa():
    """198 questions x 5, each repeat with a permutation of its own: it follows from the record and the repeat alone."""
    samples = []
    for record in chosen(records("gpqa_diamond.csv"), lambda r: r.get("High-level domain")):
        key = record.get("Record ID") or record["Question"]
        options = [record["Correct Answer"].strip(), *(record[f"Incorrect Answer {i}"].strip() for i in (1, 2, 3))]
        for repeat in range(1, repeats(5) + 1):
            order = random.Random(f"{key}/{repeat}").sample(range(4), 4)
            samples.append(Sample(id=f"{key}/{repeat}", input=prompt(record["Question"].strip(), [options[i] for i in order], "ABCD"),
                                  target="ABCD"[order.index(0)], metadata={"item": key, "repeat": repeat, "options": 4}))
    return Task(dataset=MemoryDataset(samples), solver=ask("repeat"), scorer=by_letter(), model=model())


@task
def mmlu_pro():
    samples = [Sample(id=str(record["question_id"]), input=prompt(record["question"], record["options"], "ABCDEFGHIJ"), target=record["answer"],
                      metadata={"item": str(record["question_id"]), "options": len(record["options"])})
               for record in chosen(records("mmlu_pro/test*.parquet", "mmlu_pro/test*.jsonl"), lambda r: r.get("category"))]
    return Task(dataset=MemoryDataset(samples), solver=ask(), scorer=by_letter(), model=model(), epochs=repeats(1))
