"""Writes what Jinja2 through transformers renders: cases.jsonl for snippets.txt, families.jsonl for families/*.jinja.

  python make_cases.py        (needs transformers 5.23 and Jinja2 3.1.6; the tests need only the files it writes)
"""
import datetime
import json
import pathlib
import re

import transformers.utils.chat_template_utils as chat_template_utils

HERE = pathlib.Path(__file__).parent


class FixedTime(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26, 15, 4, 5, 123456)


chat_template_utils.datetime = FixedTime


def message(role, content, **more):
    return {"role": role, "content": content, **more}


def call(name, arguments, **more):
    return {"type": "function", "function": {"name": name, "arguments": arguments}, **more}


WEATHER = {"type": "function", "function": {"name": "get_weather", "description": "Weather for a place", "parameters": {
    "type": "object", "properties": {"city": {"type": "string", "description": "The city"},
                                     "unit": {"type": "string", "enum": ["C", "F"]}}, "required": ["city"]}}}
NESTED = {"type": "function", "function": {"name": "search", "description": "Find <things> & \"more\"", "parameters": {
    "type": "object", "properties": {
        "filter": {"type": "object", "properties": {"tags": {"type": "array", "items": {"type": "string"}},
                                                    "limit": {"type": ["integer", "null"], "default": 1.5}}},
        "q": {"type": "string", "description": "é 東京"}}, "required": ["q"]}}}
ARGUMENTS = {"city": "Paris", "n": 7, "f": 1.0, "t": True, "z": None, "l": ["a", "it's", 2.5], "d": {"k": "é\"'\n"}}
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
VARIABLES = {
    "messages": [message("system", "Be brief.\n"), message("user", " Hello there "), message("assistant", "Hi"),
                 message("user", "2 + 2?")],
    "tools": [WEATHER, NESTED], "documents": None, "add_generation_prompt": True, **SPECIAL}


def unescape(line):
    names = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\"}
    pattern = r"\\(u[0-9a-f]{4}|[nrt\\])"
    return re.sub(pattern, lambda m: names.get(m[1]) or chr(int(m[1][1:], 16)), line)


def outcome(render):
    try:
        return {"expected": render()}
    except Exception as error:  # the kind is for people; tests only ask that it fails
        return {"error": True, "exception": f"{type(error).__name__}: {error}".split("\n")[0][:200]}


def render_snippet(template):
    return chat_template_utils._compile_jinja_template(template).render(**VARIABLES)


def write_snippets():
    rows, group = [], ""
    for line in (HERE / "snippets.txt").read_text(encoding="utf-8").split("\n"):
        if line.startswith("=== "):
            group = line[4:]
        elif line and not line.startswith("# "):
            template = unescape(line)
            rows.append({"group": group, "template": template, **outcome(lambda: render_snippet(template))})
    with open(HERE / "cases.jsonl", "w", encoding="utf-8") as file:
        file.write(json.dumps({"variables": VARIABLES}, ensure_ascii=False) + "\n")
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    print("snippets:", len(rows), "of which errors:", sum("error" in row for row in rows))


def conversations():
    """(name, messages, tools, documents, further variables)"""
    user, bot = (lambda c, r=r, **m: message(r, c, **m) for r in ("user", "assistant"))
    system, tool = (lambda c, r=r, **m: message(r, c, **m) for r in ("system", "tool"))
    calls = [call("get_weather", ARGUMENTS, id="abcdefghi"), call("search", {}, id="bcdefghij")]
    asked = [system("Be kind."), user("Weather?"), bot("Let me see.", tool_calls=calls, reasoning_content="Hm.\nYes.")]
    answered = asked + [tool("18 °C", tool_call_id="abcdefghi", name="get_weather"),
                        tool("{\"a\": 1}", tool_call_id="bcdefghij", name="search")]
    text = [user("Weather?"), bot("", tool_calls=[call("get_weather", json.dumps(ARGUMENTS))]), tool({"t": 18.0})]
    parts = [system([{"type": "text", "text": "Be "}, {"type": "text", "text": "brief."}]),
             user([{"type": "text", "text": "What is "}, {"type": "image", "image": "x"}, {"type": "text", "text": "?"}])]
    think = [user("1"), bot("<think>\nA\n</think>\n\none "), user("2"), bot("<think>B</think>two"), user("3")]
    yield "user", [user("Hello!")], None, None, {}
    yield "no_prompt", [user("Hello!"), bot("Hi.")], None, None, {"add_generation_prompt": False}
    yield "system", [system(" Be kind.\n"), user(" Hello! ")], None, None, {}
    yield "turns", [system("S"), user("1"), bot(" 2 "), user("3"), bot("4"), user("5")], None, None, {}
    yield "no_alternation", [user("1"), user("2")], None, None, {}
    yield "only_system", [system("x")], None, None, {}
    yield "assistant_first", [bot("x"), user("y")], None, None, {}
    yield "other_role", [message("developer", "d"), user("x")], None, None, {}
    yield "tools", [user("Hi")], [WEATHER, NESTED], None, {}
    yield "tools_system", [system("S"), user("Hi")], [WEATHER], None, {}
    yield "asked", asked, [WEATHER, NESTED], None, {"add_generation_prompt": False}
    yield "answered", answered, [WEATHER, NESTED], None, {}
    yield "done", answered + [bot("It is 18."), user("Thanks")], [WEATHER], None, {}
    yield "text_arguments", text, [WEATHER], None, {}
    yield "calls_without_tools", answered, None, None, {}
    yield "parts", parts, None, None, {}
    yield "think", think, None, None, {}
    yield "think_on", think, None, None, {"enable_thinking": True}
    yield "think_off", think, [WEATHER], None, {"enable_thinking": False}
    yield "reasoning", [user("1"), bot("one", reasoning_content="A\n"), user("2")], None, None, {}
    yield "effort", [user("1")], None, None, {"reasoning_effort": "high"}
    yield "documents", [user("Ask")], None, [{"title": "T", "text": "Some\ntext"}, {"title": "é", "text": ""}], {}
    yield "unicode", [system("東京 😀"), user("é\u0301 \u2028 \u00a0 <|im_end|> {{ x }}\u3000")], None, None, {}
    yield "null", [user("go"), bot(None, tool_calls=[call("f", {"a": 1}, id="123456789")]), tool("ok")], None, None, {}
    yield "continue", [user("1"), bot(" It is ")], None, None, {"add_generation_prompt": False, "continue_final_message": True}
    yield "empty", [], None, None, {}


def render_chat(source, messages, tools, documents, extra):
    if not messages:
        raise ValueError("an empty conversation")
    extra = {"add_generation_prompt": True, **extra}
    messages = [{k: v for k, v in m.items() if v is not None} for m in json.loads(json.dumps(messages))]
    rendered, _ = chat_template_utils.render_jinja_template(
        conversations=[messages], tools=tools, documents=documents, chat_template=source, **{**SPECIAL, **extra})
    return rendered[0]


def write_families():
    n = errors = 0
    with open(HERE / "families.jsonl", "w", encoding="utf-8") as file:
        for path in sorted((HERE / "families").glob("*.jinja")):
            source = path.read_text(encoding="utf-8")
            for name, messages, tools, documents, extra in conversations():
                row = {"family": path.stem, "name": name, "messages": messages, "tools": tools, "documents": documents,
                       "extra": extra, **outcome(lambda: render_chat(source, messages, tools, documents, extra))}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                n, errors = n + 1, errors + ("error" in row)
    print("chats:", n, "of which errors:", errors)


if __name__ == "__main__":
    write_snippets()
    write_families()
