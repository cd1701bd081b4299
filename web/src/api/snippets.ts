// A request as a program: curl, Python with the openai package, JavaScript with fetch.

type Body = Record<string, unknown>;

export type Language = 'curl' | 'python' | 'javascript';

function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** JSON as Python's literals. Strings of JSON are strings of Python, but for lone surrogates, which never get here. */
export function pythonLiteral(value: unknown, indent = ''): string {
  if (value === null || value === undefined) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (typeof value !== 'object') return JSON.stringify(value);
  const inner = `${indent}    `;
  const items = Array.isArray(value)
    ? value.map((item) => `${inner}${pythonLiteral(item, inner)},`)
    : Object.entries(value).map(([key, item]) => `${inner}${JSON.stringify(key)}: ${pythonLiteral(item, inner)},`);
  const [open, close] = Array.isArray(value) ? ['[', ']'] : ['{', '}'];
  return items.length === 0 ? open + close : `${open}\n${items.join('\n')}\n${indent}${close}`;
}

function curl(base: string, body: Body, key: boolean): string {
  const lines = [`curl -N ${base}/v1/chat/completions`];
  lines.push(`  -H 'Content-Type: application/json'`);
  if (key) lines.push(`  -H "Authorization: Bearer $LFM_API_KEY"`);
  lines.push(`  -d ${shellQuote(JSON.stringify(body, null, 2))}`);
  return lines.join(' \\\n');
}

// Members that openai's create() knows by name; others go through extra_body.
const known = new Set(['model', 'messages', 'temperature', 'top_p', 'presence_penalty', 'frequency_penalty', 'max_tokens', 'seed', 'stop',
  'tools', 'tool_choice', 'response_format', 'logprobs', 'top_logprobs', 'n', 'stream', 'stream_options', 'logit_bias', 'parallel_tool_calls']);

function python(base: string, body: Body, key: boolean): string {
  const named = Object.entries(body).filter(([name]) => known.has(name));
  const others = Object.entries(body).filter(([name]) => !known.has(name));
  const lines = named.map(([name, value]) => `    ${name}=${pythonLiteral(value, '    ')},`);
  if (others.length > 0) lines.push(`    extra_body=${pythonLiteral(Object.fromEntries(others), '    ')},`);
  return `import os
from openai import OpenAI

client = OpenAI(base_url="${base}/v1", api_key=${key ? 'os.environ["LFM_API_KEY"]' : 'os.environ.get("LFM_API_KEY", "none")'})
stream = client.chat.completions.create(
${lines.join('\n')}
)
for chunk in stream:
    if chunk.choices and chunk.choices[0].delta.content:
        print(chunk.choices[0].delta.content, end="", flush=True)
print()`;
}

function javascript(base: string, body: Body, key: boolean): string {
  const plain = { ...body };
  delete plain['stream'];
  delete plain['stream_options'];
  const json = JSON.stringify(plain, null, 2).replaceAll('\n', '\n  ');
  return `const response = await fetch("${base}/v1/chat/completions", {
  method: "POST",
  headers: {
    "Content-Type": "application/json",${key ? '\n    "Authorization": `Bearer ${process.env.LFM_API_KEY}`,' : ''}
  },
  body: JSON.stringify(${json}),
});
const answer = await response.json();
if (!response.ok) throw new Error(answer.error.message);
console.log(answer.choices[0].message.content);`;
}

/** base has no slash at its end; key says whether the server wants one (its value never stands in the program). */
export function snippet(language: Language, base: string, body: Body, key: boolean): string {
  return { curl, python, javascript }[language](base, body, key);
}
