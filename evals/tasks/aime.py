"""AIME 2025: the integer in the last box."""
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import Target, scorer

import answers
from settings import chosen, repeats
from tasks.common import ask, average, records, score
from tasks.model import model

PROMPT = "Solve the following math problem step by step. Put your answer inside \\boxed{{}}.\n\n{problem}\n\nRemember to put your answer inside \\boxed{{}}."


@scorer(metrics=[average()])
def by_integer():
    async def compute(state, target: Target):
        box = answers.boxed(state.output.completion)
        said = answers.integer(box)
        reason = "no balanced \\boxed{}" if box is None and state.output.completion else "not an integer in the box" if box is not None and said is None else None
        return score(said is not None and said == answers.integer(target.text), state, answer=box, reason=reason)
    return compute


@task
def aime():
    samples = [Sample(id=str(record.get("id", index)), input=PROMPT.format(problem=record["problem"]), target=str(record["answer"]),
                      metadata={"item": str(record.get("id", index))})
               for index, record in enumerate(chosen(records("aime25/*.jsonl", "aime25/*.parquet")))]
    return Task(dataset=MemoryDataset(samples), solver=ask(), scorer=by_integer(), model=model(), epochs=repeats(10))
