// The parts without a browser: streams of events, CSV, programs from requests, trees.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { before, test } from 'node:test';
import { build } from 'esbuild';

const modules = {};
before(async () => {
  globalThis.location = { host: 'here' };
  for (const name of ['api/events', 'api/snippets', 'api/request', 'api/classify', 'data/csv', 'data/tree', 'data/markdown_file', 'base/format', 'markdown/parse']) {
    const { outputFiles } = await build({ entryPoints: [new URL(`../src/${name}.ts`, import.meta.url).pathname], bundle: true, format: 'esm', write: false, logLevel: 'error' });
    modules[name] = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);
  }
});

test('every English text stands in texts.ts', async () => {
  const root = new URL('../src/', import.meta.url);
  const found = [];
  for (const name of await readdir(root, { recursive: true })) {
    if (!name.endsWith('.tsx')) continue;
    const source = (await readFile(new URL(name, root), 'utf8')).replace(/\/\/.*|\/\*[\s\S]*?\*\//g, '');
    for (const [text] of source.matchAll(/(?:aria-label|title|placeholder|alt|label)="[^"]+"|[>}]\s*[A-Za-z][A-Za-z ,.’]+\s*<(?:\/|[a-z]+[ >])/g)) found.push(`${name}: ${text}`);
  }
  assert.deepEqual(found, []);
});

test('events are the same however the bytes are cut', () => {
  const { EventReader } = modules['api/events'];
  const bytes = new TextEncoder().encode(': ping\n\ndata: {"a":"ä€"}\r\n\r\nevent: x\nid: 3\ndata:one\ndata: two\n\n\n\ndata: [DONE]\n\n');
  const want = ['{"a":"ä€"}', 'one\ntwo', '[DONE]'];
  for (let cut = 0; cut <= bytes.length; cut++) {
    const reader = new EventReader();
    assert.deepEqual([...reader.read(bytes.slice(0, cut)), ...reader.read(bytes.slice(cut))], want, `cut at ${cut}`);
  }
  const single = new EventReader();
  assert.deepEqual([...bytes].flatMap((b) => single.read(Uint8Array.of(b))), want);
});

test('CSV is read by the standard, and what is broken is named', () => {
  const { readCsv, writeCsv, CsvError } = modules['data/csv'];
  assert.deepEqual(readCsv('\uFEFFa,b\r\n"x ""y""\nz",\n\n1,2'), [['a', 'b'], ['x "y"\nz', ''], ['1', '2']]);
  assert.deepEqual(readCsv('"",""\n'), [['', '']]);
  assert.deepEqual(readCsv(''), []);
  for (const [text, line] of [['a"b', 1], ['a\n"b', 2], ['"a"b', 1], ['"x\ny"z', 2]]) assert.throws(() => readCsv(text), (e) => e instanceof CsvError && e.line === line, text);
  const rows = [['a,b', 'c"d', 'e\nf', 'g']];
  assert.deepEqual(readCsv(writeCsv(rows)), rows);
});

test('programs say the request and nothing else', () => {
  const { snippet, pythonLiteral } = modules['api/snippets'];
  assert.equal(pythonLiteral({ a: [true, null, 'x\n'], b: {} }), '{\n    "a": [\n        True,\n        None,\n        "x\\n",\n    ],\n    "b": {},\n}');
  const body = { model: 'm', messages: [{ role: 'user', content: "it's" }], min_p: 0.1, stream: true };
  assert.match(snippet('curl', 'http://h', body, false), /it'\\''s/);
  assert.match(snippet('python', 'http://h', body, true), /extra_body=\{\n\s+"min_p": 0.1,/);
  for (const language of ['curl', 'python', 'javascript']) assert.match(snippet(language, 'http://h', body, true), /LFM_API_KEY/);
});

test('a path ends at a ring or a missing parent', () => {
  const { pathTo, newestLeaf } = modules['data/tree'];
  const messages = new Map([['a', { id: 'a', parent: 'b', created: 1 }], ['b', { id: 'b', parent: 'a', created: 2 }], ['c', { id: 'c', parent: 'gone', created: 3 }]]);
  assert.deepEqual(pathTo(messages, 'a').map((m) => m.id), ['b', 'a']);
  assert.deepEqual(pathTo(messages, 'c').map((m) => m.id), ['c']);
  assert.ok(['a', 'b'].includes(newestLeaf(messages, 'a')));
});

test('Markdown files come back as they went', () => {
  const { toMarkdown, fromMarkdown } = modules['data/markdown_file'];
  const turns = [['user', '# head\n## You\n\\## x'], ['assistant', '## Assistant\ntext']];
  const messages = turns.map(([role, content], i) => ({ id: String(i), parent: i ? String(i - 1) : null, created: i, role, content }));
  const back = fromMarkdown('x.md', toMarkdown({ title: 'T', system: 'S\n## You' }, messages));
  assert.deepEqual(back.messages.map((m) => [m.role, m.content]), turns);
  assert.deepEqual([back.conversation.title, back.conversation.system], ['T', 'S\n## You']);
});

test('figures read well', () => {
  const { dollars, percent, duration, oneLine } = modules['base/format'];
  assert.deepEqual([0, 0.00000252, 1.5, 0.012].map(dollars), ['$0', '$0.00000252', '$1.50', '$0.012']);
  assert.deepEqual([1, 0.0312, 0.00004, 0].map(percent), ['100 %', '3.1 %', '< 0.01 %', '0 %']);
  assert.deepEqual([12.4, 2345, 65_000].map(duration), ['12 ms', '2.3 s', '1 min 5 s']);
  assert.equal(oneLine('a\u202E\n\tb\u0000\u200Bc'), 'a b c');
});

test('only addresses of the web and of mail are links', () => {
  const { safeLink, readBlocks } = modules['markdown/parse'];
  for (const bad of ['javascript:1', 'JaVaScript:1', 'data:text/html,x', 'vbscript:x', '//x.org', '/v1/models', 'file:///etc', ' javascript:1', 'java\nscript:1', 'blob:x']) assert.equal(safeLink(bad), null, bad);
  assert.equal(safeLink('https://example.org/a').href, 'https://example.org/a');
  assert.equal(readBlocks('x'.repeat(200_001)), null);
  assert.equal(readBlocks('a\n\nb\n\n- c\n- d\n').length, 3);
});

test('an answer of /v1/classify is read, the likeliest label first, or refused', () => {
  const { readClassified } = modules['api/classify'];
  const probabilities = [{ label: 'a', probability: 0.25 }, { label: 'b', probability: 0.75 }];
  assert.deepEqual(readClassified({ probabilities, label_mass: 0.5 }), { scores: [probabilities[1], probabilities[0]], mass: 0.5 });
  for (const entry of [3, {}, { probabilities }, { probabilities: [], label_mass: 1 }, { probabilities: [0.25], label_mass: 1 }]) assert.equal(readClassified(entry), null);
});
