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
    """(strict, loose): whether each instruction of a record is followed. The strict pass comes first: it drops null arguments for the loose one."""
    library = checkers()
    example = library.InputExample(key=record["key"], instruction_id_list=record["instruction_id_list"], prompt=record["prompt"],
                                   kwargs=[dict(kwargs) for kwargs in record["kwargs"]])
    said = {record["prompt"]: response}
    strict = library.test_instruction_following_strict(example, said).follow_instruction_list
    return strict, library.test_instruction_following_loose(example, said).follow_instruction_list


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
        return score(all(loose), state, reason=None if state.output.completion.strip() else "empty answer",
                     strict=all(strict), loose_instructions=[sum(loose), len(loose)], strict_instructions=[sum(strict), len(strict)])
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
