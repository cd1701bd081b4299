"""Classification on a labelled CSV: one letter by the server's top_logprobs, and the same rows through `lfm classify`."""
import csv
import json
import pathlib
import subprocess
import tempfile

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import Target, scorer

import answers
from settings import SETTINGS, chosen
from tasks.common import ask, average, read, score
from tasks.model import model

MOST = 20  # labels: as many as top_logprobs gives
PROMPT = "Which label fits the text?\n\n{labels}\n\nText: {text}\n\nAnswer with the letter of the label alone."


def rows():
    """(labels in the order of their names, the run's rows as (place, text, label))."""
    table = read(SETTINGS.csv)
    for column in (SETTINGS.text_column, SETTINGS.label_column):
        if table and column not in table[0]:
            raise SystemExit(f"{SETTINGS.csv} has no column '{column}' (there are: {', '.join(table[0])}); name it by --text-column or --label-column")
    labels = sorted({row[SETTINGS.label_column] for row in table})
    if not 2 <= len(labels) <= MOST:
        raise SystemExit(f"{SETTINGS.csv}: {len(labels)} labels; the letters of top_logprobs take 2 to {MOST}")
    numbered = [(str(index), row[SETTINGS.text_column], row[SETTINGS.label_column]) for index, row in enumerate(table)]
    return labels, chosen(numbered, lambda row: row[2])


def letters(labels):
    return [chr(ord("A") + i) for i in range(len(labels))]


@scorer(metrics=[average()])
def by_top_logprobs():
    async def compute(state, target: Target):
        labels = state.metadata["labels"]
        logprobs = state.output.choices[0].logprobs
        top = [(t.token, t.logprob) for t in logprobs.content[0].top_logprobs or []] if logprobs and logprobs.content else []
        found = answers.label_probabilities(top, letters(labels))
        probabilities = {label: found[letter] for letter, label in zip(letters(labels), labels)} if found else None
        said = max(probabilities, key=probabilities.get) if probabilities else None
        return score(said == target.text, state, answer=said, reason=None if said else "no label's letter among the likeliest tokens",
                     probabilities=probabilities, label=target.text)
    return compute


@task
def classify():
    labels, table = rows()
    listed = "\n".join(f"{letter}) {label}" for letter, label in zip(letters(labels), labels))
    samples = [Sample(id=place, input=PROMPT.format(labels=listed, text=text), target=label, metadata={"item": place, "labels": labels})
               for place, text, label in table]
    asked = model()
    asked.config.max_tokens = 1
    asked.config.extra_body = {**SETTINGS.sampling, "logprobs": True, "top_logprobs": MOST}
    return Task(dataset=MemoryDataset(samples), solver=ask(), scorer=by_top_logprobs(), model=asked)


def through_program():
    """The same rows through `lfm classify`: [(true, said or None, {label: probability})]; raises RuntimeError with the program's own words."""
    labels, table = rows()
    with tempfile.TemporaryDirectory(prefix="lfm-classify-") as folder:
        source, out, names = (pathlib.Path(folder) / name for name in ("in.csv", "out.csv", "labels.json"))
        with open(source, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([["text"], *([text] for _, text, _ in table)])
        names.write_text(json.dumps(labels))
        command = [SETTINGS.lfm, "classify", "-m", SETTINGS.model_file, "--labels", str(names), "--text-column", "text", "--probabilities", str(source), "-o", str(out)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError((done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1])
        with open(out, encoding="utf-8", newline="") as file:
            said = list(csv.DictReader(file))
    if len(said) != len(table):
        raise RuntimeError(f"{len(said)} rows for {len(table)}")
    return [(true, row["label"] or None, {label: float(row[f"p_{label}"]) for label in labels} if row["label"] else None)
            for (_, _, true), row in zip(table, said)]
