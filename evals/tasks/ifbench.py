"""IFBench: 294 prompts of the wheel, judged by its checkers, loose, every instruction of a prompt."""
import functools
import importlib
import json
import sys
from importlib import resources

import anyio
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import Target, scorer

from settings import chosen, repeats
from tasks.common import ask, average, score, standing_in
from tasks.model import model


@functools.cache
def checkers():
    """ifbench.evaluation_lib, which wants spaCy at each import and a download at each answer; it needs neither once NLTK's data is there."""
    import nltk

    nltk.download = lambda *args, **kwargs: True
    with standing_in(**{"spacy": {}, "spacy.cli": {"download": lambda *args, **kwargs: None}}):
        return importlib.import_module("ifbench.evaluation_lib")


def judge(record, response):
    """(strict, loose): for each instruction of a record whether it is followed; None where its checker fails on the text, which counts as not.

    The strict pass comes first: it drops null arguments for the loose one.
    """
    library = checkers()
    said, out = {record["prompt"]: response}, ([], [])
    for identity, kwargs in zip(record["instruction_id_list"], record["kwargs"]):
        example = library.InputExample(key=record["key"], instruction_id_list=[identity], prompt=record["prompt"], kwargs=[dict(kwargs)])
        for verdicts, check in zip(out, (library.test_instruction_following_strict, library.test_instruction_following_loose)):
            try:
                verdicts.append(check(example, said).follow_all_instructions)
            except Exception as error:
                if type(error) is LookupError:  # NLTK's data is missing: no fault of the text
                    raise
                verdicts.append(None)
    return out


def has_tagger():
    import nltk

    try:
        nltk.data.find("taggers/averaged_perceptron_tagger_eng/")
    except LookupError:
        return False
    return True


def prompts():
    return [json.loads(line) for line in resources.files("ifbench").joinpath("data/IFBench_test.jsonl").read_text("utf-8").splitlines()]


@scorer(metrics=[average()])
def by_checkers():
    async def compute(state, target: Target):
        strict, loose = await anyio.to_thread.run_sync(judge, state.metadata["record"], state.output.completion)
        reason = "empty answer" if not state.output.completion.strip() else "a checker fails on it" if None in loose else None
        return score(all(loose), state, reason=reason if not all(loose) else None, strict=all(strict), loose_instructions=[loose.count(True), len(loose)])
    return compute


@task
def ifbench():
    checkers()  # here, for the answers are judged in several threads
    asked = chosen(prompts(), lambda r: r["instruction_id_list"][0].split(":")[0])
    if not has_tagger():
        whole = len(asked)
        asked = [record for record in asked if "words:start_verb" not in record["instruction_id_list"]]
        if len(asked) < whole:
            print(f"ifbench: {whole - len(asked)} of {whole} prompts left out, for their checker needs NLTK's tagger: evals/data.py fetch ifbench", file=sys.stderr)
    samples = [Sample(id=str(record["key"]), input=record["prompt"], target="", metadata={"item": str(record["key"]), "record": record})
               for record in asked]
    return Task(dataset=MemoryDataset(samples), solver=ask(), scorer=by_checkers(), model=model(), epochs=repeats(5))
