"""Humanity's Last Exam, the text-only items: by a judge where one is named, else a lower bound that never counts as comparable."""
import re

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageSystem, ChatMessageUser
from inspect_ai.scorer import Target, scorer

import answers
from settings import SETTINGS, chosen, repeats
from tasks.common import ask, average, records, score
from tasks.model import model

SYSTEM = ("Your response should be in the following format:\nExplanation: {your explanation for your answer choice}\nAnswer: {your chosen answer}\n"
          "Confidence: {your confidence score between 0% and 100% for your answer}")
# The wording is ours, with the fields of the authors' judge; --judge-prompt names a file with another.
JUDGE = """You decide whether an answer to a question is correct, by the given correct answer alone. Do not solve the question, do not argue for another answer.

Question: {question}

Answer to judge: {response}

Correct answer: {answer}

Write these lines:
extracted_final_answer: the final answer that the text gives, or None.
reasoning: whether and why it means the same as the correct answer; small margins of numeric rounding are allowed.
correct: yes or no.
confidence: the confidence that the text states, 100 without one."""


@scorer(metrics=[average()])
def by_judge():
    wording = SETTINGS.judge_prompt or JUDGE
    judge = model("grader") if "grader" in SETTINGS.endpoints else None

    async def compute(state, target: Target):
        text, kind = state.output.completion, state.metadata["answer_type"]
        _, confidence = answers.hle_answer(text)
        if not text:
            return score(0, state, reason="empty answer", confidence=confidence)
        if judge is None:
            return score(answers.hle_offline(text, target.text, kind), state, confidence=confidence, by="exact match")
        parts = {"question": state.metadata["question"], "response": text, "answer": target.text}
        asked = re.sub(r"\{(question|response|answer)\}", lambda found: parts[found.group(1)], wording)
        said = await judge.generate([ChatMessageUser(content=asked)])
        right = answers.judged(said.completion)
        if right is None:
            raise RuntimeError("the judge gave no verdict")  # the judge's fault: an error, not a wrong answer
        return score(right, state, confidence=confidence, by="judge")
    return compute


@task
def hle():
    samples = [Sample(id=str(record["id"]), input=[ChatMessageSystem(content=SYSTEM), ChatMessageUser(content=record["question"])], target=record["answer"],
                      metadata={"item": str(record["id"]), "answer_type": record["answer_type"], "question": record["question"]})
               for record in chosen([r for r in records("hle/test*.parquet", "hle/test*.jsonl") if not r.get("image")], lambda r: r.get("category"))]
    return Task(dataset=MemoryDataset(samples), solver=ask(), scorer=by_judge(), model=model(), epochs=repeats(1))
