// A server that speaks as lfm does, without a model: the browser tests' counterpart for what a real one seldom does
// (a full queue, a broken stream, answers made to do harm). The first word of the last message chooses what it plays.
import { createServer } from 'node:http';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

const dist = new URL('../dist/', import.meta.url);
const types = { html: 'text/html; charset=utf-8', js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8', svg: 'image/svg+xml', txt: 'text/plain; charset=utf-8' };

// As src/server/page.cc has it.
export const csp = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const words = ['the', ' model', ' reads', ' a', ' line', ' and', ' says', ' what', ' it', ' holds', ',', ' then', ' waits', ' for', ' more', '.', '\n\n', 'A', ' small', ' engine'];

export const markdown = `## A heading

Some *text* with \`code\`, a [link](https://example.org/page) and a list:

1. first
2. second
   - inside

| name | value |
| :--- | ----: |
| one  | 1     |
| two  | 22    |

\`\`\`python
def fibonacci(n):
    """The n-th number."""
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a  # exact
\`\`\`

> Said by somebody.
`;

export const harmful = [
  '<script>window.harmed = 1</script><img src=x onerror="window.harmed = 2">',
  '[run](javascript:window.harmed=3) [data](data:text/html,<script>window.harmed=4</script>) ![picture](https://elsewhere.example/p.png)',
  '![inline](data:image/svg+xml;base64,PHN2Zy8+) <a href="javascript:window.harmed=5">x</a> [ok](https://example.org/)',
  'abc\u202Edef\u2066ghi\u200Bjkl',
  '<svg onload="window.harmed=6"></svg> <iframe src="javascript:window.harmed=7"></iframe>',
].join('\n\n');

/** Numbers from a text: the same text gives the same ones. */
function* numbers(text) {
  for (let block = createHash('sha256').update(text).digest(); ; block = createHash('sha256').update(block).digest()) yield* block;
}

function pieces(text) {
  return text.match(/\s*\S+|\s+$/g) ?? [];
}

/** What is played: pieces of text, of reasoning, or calls, and how it ends. */
function play(body) {
  const last = body.messages.at(-1);
  const said = body.messages.findLast((m) => m.role === 'user')?.content ?? '';
  const word = /^\w+/.exec(said)?.[0] ?? '';
  if (last.role === 'tool') return { text: pieces(`The tool says: ${last.content}`) };
  if (word === 'markdown') return { text: pieces(markdown) };
  if (word === 'harm') return { text: pieces(harmful) };
  if (word === 'deep') return { text: ['> '.repeat(10_000), '['.repeat(10_000), '\n', '- '.repeat(10_000), '**'.repeat(10_000)] };
  if (word === 'reason') return { reasoning: pieces('First I look at the question, then I answer.'), text: pieces('Forty-two.') };
  if (word === 'call') return { calls: [{ name: 'get_weather', arguments: '{"city": "Oslo", "days": 3}' }, { name: 'get_time', arguments: '{}' }] };
  if (word === 'json') return { text: pieces('{"name": "Ada", "age": 36}') };
  const n = Math.min(body.max_tokens ?? Infinity, Number(/\d+/.exec(said)?.[0] ?? 30));
  const temperature = body.temperature ?? 0.3;
  const random = numbers(temperature === 0 ? said : `${said} ${body.seed} ${temperature}`);
  const text = Array.from({ length: n }, () => words[random.next().value % words.length]);
  if (last.role === 'assistant') text.unshift(' and on:');
  return { text, finish: body.max_tokens !== undefined && n === body.max_tokens ? 'length' : 'stop', slow: word === 'slow', waits: word === 'prompt', steady: word === 'steady' || word === 'held', held: word === 'held', cut: word === 'cut', error: word === 'broken' };
}

function logprobs(token, i) {
  const alternatives = [token, ...words.filter((w) => w !== token).slice(i % 7, (i % 7) + 4)];
  const top = alternatives.map((t, rank) => ({ token: t, logprob: Math.log((i % 5 === 4 ? 0.4 : 0.8) * 0.3 ** rank), bytes: [...Buffer.from(t)] }));
  return { content: [{ ...top[0], top_logprobs: top }] };
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function sendJson(response, status, value, headers = {}) {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(value));
}

function sendError(response, status, message, code = null, headers = {}) {
  sendJson(response, status, { error: { message, type: 'invalid_request_error', param: null, code } }, headers);
}

/** Starts one; close() ends it. state is shared with the test: requests seen, key wanted, tries left while busy. */
export async function startMock({ key = '', port = 0 } = {}) {
  const state = { key, requests: [], aborted: 0, busy: 0 };

  async function chat(body, request, response) {
    state.requests.push(body);
    const said = body.messages.findLast((m) => m.role === 'user')?.content ?? '';
    if (said.startsWith('busy') && state.busy++ < 2) return sendError(response, 429, 'The queue holds 64 requests.', 'queue_full', { 'Retry-After': '1' });
    if (said.startsWith('queue')) return sendError(response, 429, 'The queue holds 64 requests.', 'queue_full', { 'Retry-After': '0.02' });
    if (said.startsWith('full')) return sendError(response, 400, "This model's maximum context length is 4096 tokens. However, you asked for 5000 tokens.", 'context_length_exceeded');
    if (said.startsWith('fails')) return sendError(response, 500, harmful);
    if (said.startsWith('refuse')) return sendError(response, 400, 'temperature is above 2.', 'invalid_value');
    const part = play(body);
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' });
    let open = true;
    response.on('close', () => {
      if (!response.writableEnded) state.aborted++;
      open = false;
    });
    const id = 'chatcmpl-1';
    const send = (more) => open && response.write(`data: ${JSON.stringify({ id, object: 'chat.completion.chunk', created: 1, model: 'mock', system_fingerprint: 'b0.9.0-w5f3a9c1e-n7', usage: null, choices: [], ...more })}\n\n`);
    const delta = (d, logprob = null, finish = null) => send({ choices: [{ index: 0, delta: d, logprobs: logprob, finish_reason: finish }] });
    const prompt = 100 + 12 * body.messages.length;
    if (body.return_progress) {
      for (const read of [40, 80, prompt]) {
        send({ prompt_progress: { total: prompt, cache: 40, processed: read, time_ms: read } });
        if (part.slow) await sleep(30);
        if (part.waits && read === 80) await new Promise((resolve) => (state.goOn = resolve)); // until the test has looked
      }
    }
    delta({ role: 'assistant', content: '' });
    for (const text of part.reasoning ?? []) delta({ reasoning_content: text });
    let i = 0;
    for (const token of part.text ?? []) {
      if (!open) return;
      if (part.cut && i === 12) {
        await sleep(100); // what was written goes out before
        return response.destroy();
      }
      if (part.held && i === 12) await state.seen; // a promise of the test's, kept when it has seen the answer stream
      if (part.error && i === 12) return response.end(`data: ${JSON.stringify({ error: { message: 'The engine is ending.', type: 'server_error', param: null, code: 'server_error' } })}\n\n`);
      delta({ content: token }, body.logprobs ? logprobs(token, i) : null);
      i++;
      if (part.slow) await sleep(20);
      else if (part.steady) await sleep(5);
      else if (i % 16 === 0) await sleep(1);
    }
    for (const [index, call] of (part.calls ?? []).entries()) {
      delta({ tool_calls: [{ index, id: `call_${index}`, type: 'function', function: { name: call.name, arguments: '' } }] });
      for (const text of pieces(call.arguments)) delta({ tool_calls: [{ index, function: { arguments: text } }] });
      i += 8;
    }
    delta({}, null, part.calls ? 'tool_calls' : (part.finish ?? 'stop'));
    const usage = { prompt_tokens: prompt, completion_tokens: i, total_tokens: prompt + i, prompt_tokens_details: { cached_tokens: 40 }, cost: prompt * 1e-8 + i * 2e-8 };
    send({ usage, timings: { prompt_ms: 12, predicted_per_second: 184.2, limit_share: 0.87 } });
    response.end('data: [DONE]\n\n');
  }

  function classify(body, response) {
    const data = body.input.map((text, index) => {
      const random = numbers(text);
      const raw = body.labels.map(() => random.next().value + 1);
      const sum = raw.reduce((a, b) => a + b, 0);
      const scored = body.labels.map((label, i) => ({ label: typeof label === 'string' ? label : label.name, probability: raw[i] / sum })).sort((a, b) => b.probability - a.probability);
      return { index, label: scored[0].label, confidence: scored[0].probability, margin: scored[0].probability - (scored[1]?.probability ?? 0), label_mass: 0.9, probabilities: scored };
    });
    sendJson(response, 200, { object: 'list', model: 'mock', data });
  }

  async function serve(request, response) {
    const path = new URL(request.url, 'http://x').pathname;
    const name = path === '/' ? 'index.html' : path.slice(1);
    if (request.method === 'GET' && /^[a-z]+\.(html|js|css|svg|txt)$/.test(name)) {
      const bytes = await readFile(new URL(name, dist)).catch(() => null);
      if (!bytes) return sendError(response, 404, 'There is no such file.');
      const headers = { 'Content-Type': types[name.split('.')[1]], 'Content-Security-Policy': csp, 'X-Content-Type-Options': 'nosniff', 'Referrer-Policy': 'no-referrer' };
      return response.writeHead(200, headers).end(bytes);
    }
    if (state.key && request.headers.authorization !== `Bearer ${state.key}`) return sendError(response, 401, 'The API key is wrong.', 'invalid_api_key');
    if (path === '/v1/models') return sendJson(response, 200, { object: 'list', data: [{ id: 'mock-8b-a1b', object: 'model', created: 1, owned_by: 'lfm', max_model_len: 4096 }] });
    if (path === '/props') return sendJson(response, 200, { model_alias: 'mock-8b-a1b', build_info: '0.9.0', system_fingerprint: 'b0.9.0-w5f3a9c1e-n7', default_generation_settings: { n_ctx: 4096, params: { temperature: 0.3, top_p: 1, top_k: 0, min_p: 0.15, repeat_penalty: 1.05, seed: 0 } } });
    if (request.method !== 'POST') return sendError(response, 404, 'There is no such route.');
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = JSON.parse(Buffer.concat(chunks).toString());
    if (path === '/v1/chat/completions') return chat(body, request, response);
    if (path === '/v1/classify') return classify(body, response);
    return sendError(response, 404, 'There is no such route.');
  }

  const server = createServer((request, response) => void serve(request, response));
  // A port that was given back may have become somebody's for a moment.
  const listen = () => new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', () => resolve(true)));
  for (let tries = 0; !(await listen().catch((error) => (error.code === 'EADDRINUSE' && tries < 300 ? false : Promise.reject(error)))); tries++) await sleep(200);
  server.removeAllListeners('error');
  const url = `http://127.0.0.1:${server.address().port}`;
  const close = () => new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
  return { url, state, close, port: server.address().port };
}
