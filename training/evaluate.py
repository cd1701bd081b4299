"""Runs the held-out sets through lfm, at temperature 0 and repetition penalty 1, and compares the answers with those of transformers:

  evaluate.py LFM MODEL.gguf EVAL_DIR [--compute f32|auto] [--answers answers.jsonl] [--cases N] [--jobs 2]

LFM is the program (build/release/lfm); answers.jsonl comes from evaluate_transformers.py. Needs only Python's standard library.
--held: the extraction's answers are held to the schema that their prompts ask for (--schema; docs/structured.md). Calls always are
held to their tools' schemas.
"""
import argparse
import json
import os
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor


def schema_of(case):
    """The schema in a prompt of the extraction set: {"name": "type"} or a JSON Schema; what is not said is null. None elsewhere."""
    for message in case["messages"]:
        start = message["content"].find("{")
        if start < 0 or message["role"] != "system" and len(case["messages"]) > 1:
            continue
        try:
            form = json.JSONDecoder().raw_decode(message["content"][start:])[0]
        except ValueError:
            continue
        types = {name: form_type if isinstance(form_type, str) else form_type["type"]
                 for name, form_type in form.get("properties", form).items()}
        return {"type": "object", "properties": {name: {"type": [kind, "null"]} for name, kind in types.items()},
                "required": list(types), "additionalProperties": False}
    return None


def ask(a, case):
    """The answer of `lfm run`; a failure is an answer too, and counts as wrong."""
    with tempfile.TemporaryDirectory() as folder:
        command = [a.lfm, "run", "-m", a.model, "--temp", "0", "--repeat-penalty", "1", "-n", "64", "--threads", "1", "--compute", a.compute, "--json"]
        for name in ("messages", "tools"):
            if case.get(name):
                with open(f"{folder}/{name}.json", "w", encoding="utf-8") as f:
                    json.dump(case[name], f, ensure_ascii=False)
                command += ["--" + name, f.name]
        schema = schema_of(case) if a.held and case["answer"].startswith("{") else None
        if schema:
            with open(f"{folder}/schema.json", "w", encoding="utf-8") as f:
                json.dump(schema, f, ensure_ascii=False)
            command += ["--schema", f.name]
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    return json.loads(done.stdout)["text"] if done.returncode == 0 else f"lfm failed ({done.returncode}): {done.stderr.strip()}"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("lfm"), p.add_argument("model"), p.add_argument("sets"), p.add_argument("--compute", default="f32", choices=["f32", "auto"])
    p.add_argument("--answers"), p.add_argument("--cases", type=int), p.add_argument("--jobs", type=int, default=2), p.add_argument("--held", action="store_true")
    p.add_argument("--show", type=int, default=0, help="print this many wrong answers of each set")
    a = p.parse_args()
    other = {}
    if a.answers:
        with open(a.answers, encoding="utf-8") as f:
            other = {(r["set"], r["case"]): r["text"] for r in map(json.loads, f)}
    same = compared = 0
    for file in sorted(f for f in os.listdir(a.sets) if f.endswith(".jsonl")):
        name = file.removesuffix(".jsonl")
        with open(f"{a.sets}/{file}", encoding="utf-8") as f:
            cases = [json.loads(line) for line in f][:a.cases]
        with ThreadPoolExecutor(a.jobs) as pool:
            got = list(pool.map(lambda c: ask(a, c), cases))
        good = sum(g == c["answer"] for g, c in zip(got, cases))
        print(f"{name:8} {good}/{len(cases)} exact = {100 * good / len(cases):.1f} %", flush=True)
        wrong = [(g, c) for g, c in zip(got, cases) if g != c["answer"]]
        for g, c in wrong[:a.show]:
            print(f"  {c['messages'][-1]['content']!r}\n    expected {c['answer']}\n    got      {g}")
        pairs = [(g, other[name, i]) for i, g in enumerate(got) if (name, i) in other]
        same, compared = same + sum(x == y for x, y in pairs), compared + len(pairs)
    if compared:
        print(f"same answer as transformers: {same}/{compared} = {100 * same / compared:.2f} %")


if __name__ == "__main__":
    main()
