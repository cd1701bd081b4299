"""Runs the held-out sets through lfm, at temperature 0 and repetition penalty 1, and compares the answers with those of transformers:

  evaluate.py LFM MODEL.gguf EVAL_DIR [--compute f32|auto] [--answers answers.jsonl] [--cases N] [--jobs 2]

LFM is the program (build/release/lfm); answers.jsonl comes from evaluate_transformers.py. Needs only Python's standard library.
--held: the extraction's answers are held to the schema that their prompts ask for (--schema; docs/structured.md). Calls always are
held to their tools' schemas. Beside the exact answers those are counted that are valid: an object of the extraction's schema, calls
that the tools' schemas take, or text where no call was begun.
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


TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}


def fits(value, schema, closed=False):
    """Whether a value is in a schema of the keywords that the sets use; an error at any other keyword."""
    unknown = set(schema) - {"type", "enum", "properties", "required", "items", "additionalProperties", "description", "default", "format"}
    if unknown:
        raise ValueError(f"this judge does not know {unknown}")
    kinds = schema.get("type", list(TYPES))
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if not any(isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool)) for kind in kinds):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if isinstance(value, list):
        return all(fits(item, schema.get("items", {})) for item in value)
    if isinstance(value, dict):
        named = schema.get("properties", {})
        if any(name not in value for name in schema.get("required", [])):
            return False
        if (closed and named or schema.get("additionalProperties") is False) and any(name not in named for name in value):
            return False
        return all(fits(item, named.get(name, {})) for name, item in value.items())
    return True


def is_valid(answer, case):
    """Whether an answer could be used: see above."""
    schema = schema_of(case) if case["answer"].startswith("{") else None
    if schema:
        try:
            return fits(json.loads(answer["text"]), schema)
        except ValueError:
            return False
    functions = [tool.get("function", tool) for tool in case.get("tools") or []]
    tools = {function["name"]: function.get("parameters", {}) for function in functions}
    calls = answer.get("tool_calls") or []
    if not calls:
        return "<|tool_call_" not in answer["text"]
    return all(call["name"] in tools and fits(call["arguments"], tools[call["name"]], closed=True) for call in calls)


def ask(a, case):
    """The answer of `lfm run --json`; a failure is an answer too, and counts as wrong."""
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
    if done.returncode == 0:
        return json.loads(done.stdout)
    return {"text": f"<|tool_call_ lfm failed ({done.returncode}): {done.stderr.strip()}"}


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
            answers = list(pool.map(lambda c: ask(a, c), cases))
        got = [answer["text"] for answer in answers]
        n_valid = sum(is_valid(answer, case) for answer, case in zip(answers, cases))
        good = sum(g == c["answer"] for g, c in zip(got, cases))
        print(f"{name:8} {good}/{len(cases)} exact = {100 * good / len(cases):.1f} %, {n_valid} valid", flush=True)
        wrong = [(g, c) for g, c in zip(got, cases) if g != c["answer"]]
        for g, c in wrong[:a.show]:
            print(f"  {c['messages'][-1]['content']!r}\n    expected {c['answer']}\n    got      {g}")
        pairs = [(g, other[name, i]) for i, g in enumerate(got) if (name, i) in other]
        same, compared = same + sum(x == y for x, y in pairs), compared + len(pairs)
    if compared:
        print(f"same answer as transformers: {same}/{compared} = {100 * same / compared:.2f} %")


if __name__ == "__main__":
    main()
