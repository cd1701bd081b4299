// The page that lfm itself serves, with the demo model. Left out where the program is not built (LFM=PATH names it).
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { answered, openPage, settled, shot, startBrowser } from './browser.mjs';
import { csp } from './mock_server.mjs';

const root = new URL('../../', import.meta.url).pathname;
const lfm = process.env.LFM ?? `${root}build/release/lfm`;
const options = { skip: existsSync(lfm) ? false : `${lfm} is not built` };
let browser, server, url;

before(async () => {
  if (options.skip) return;
  server = spawn(lfm, ['serve', '-m', `${root}models/lfm-demo.gguf`, '--port', '0', '--ledger', 'none', '--log', 'none', '--stats'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  for await (const piece of server.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    if ((url = /http:\/\/127\.0\.0\.1:\d+/.exec((said += piece))?.[0])) break;
  }
  server.stdout.resume();
  assert.ok((await fetch(`${url}/health`)).ok, 'lfm serve is ready');
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  if (!server) return;
  const ended = new Promise((resolve) => server.on('exit', resolve));
  server.kill('SIGTERM');
  assert.equal(await ended, 0);
});

test('the files come as the browser wants them', options, async () => {
  const first = await fetch(`${url}/app.js`);
  assert.equal(first.headers.get('content-encoding'), 'gzip');
  assert.equal(first.headers.get('content-security-policy'), csp);
  assert.equal(first.headers.get('x-content-type-options'), 'nosniff');
  assert.equal((await fetch(`${url}/app.js`, { headers: { 'If-None-Match': first.headers.get('etag') } })).status, 304);
  assert.equal((await fetch(`${url}/`, { method: 'HEAD' })).status, 200);
});

test('the first load: under 150 kB in all, nothing but the page’s own files', options, async () => {
  const { page, context, close } = await openPage(browser, url);
  const files = await page.evaluate(() => {
    const entries = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
    return entries.map((e) => [new URL(e.name).pathname, e.transferSize]);
  });
  assert.ok(files.reduce((sum, [, size]) => sum + size, 0) < 150_000, JSON.stringify(files));
  for (const [path] of files) assert.ok(['/', '/app.js', '/app.css', '/icon.svg', '/v1/models', '/props'].includes(path), path);
  await close();
  await context.close();
});

test('the examples of the empty page: a label, a tool call, a JSON object', options, async () => {
  const { page, answers, close } = await openPage(browser, url);
  for (const [name, seen] of [['Route a request', /book_flight/], ['Call a tool', /book_table[\s\S]*Poudeng Grill/], ['Extract JSON', /Draimaix/]]) {
    await page.getByRole('button', { name: 'New chat' }).click();
    await page.getByRole('button', { name }).click();
    await answered(page, () => page.getByRole('button', { name: 'Send' }).click());
    assert.match(await answers.last().innerText(), seen);
    assert.match(await answers.last().innerText(), /tokens\/s\s+[\d.< ]+% of the machine’s limit/);
    await shot(page, `real-${name.replaceAll(' ', '-')}`);
  }
  await close();
});

test('a conversation that outgrows the context is said in words, and the answers stay', options, async () => {
  const { page, answers, say, close } = await openPage(browser, url, { expected: ['Failed to load resource'] });
  await say('Hello! Who are you?');
  await say('word '.repeat(9000));
  assert.match(await answers.last().innerText(), /no longer fits the model’s context\. It says: This model's maximum context length is 4096 tokens.*Edit an earlier turn/);
  assert.equal(await answers.count(), 2);
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByRole('complementary', { name: 'Settings' }).getByText('Server', { exact: true }).click();
  assert.match(await page.locator('.facts').innerText(), /lfm-demo[\s\S]*Fingerprint[\s\S]*4,096 tokens[\s\S]*Machine’s limit\s+[\d,.]+ tokens\/s/);
  await close();
});

test('rows are classified by the real route, and the downloads hold all probabilities', options, async () => {
  const { page, close } = await openPage(browser, url);
  await page.getByRole('navigation', { name: 'Views' }).getByRole('button', { name: 'Classify' }).click();
  await page.getByRole('textbox', { name: 'Labels' }).fill('refund: get money back\nstock: whether a product is available\ncancel_order: cancel an order');
  await page.getByRole('textbox', { name: 'Rows' }).fill('Please cancel the order I made this morning\nIs the green tent in stock?\nWhen do I get my money back?');
  await page.getByRole('button', { name: 'Classify the rows' }).click();
  const rows = page.getByRole('region', { name: 'Results' }).getByRole('row');
  await rows.nth(3).waitFor();
  for (const [i, label] of ['cancel_order', 'stock', 'refund'].entries()) {
    assert.equal(await rows.nth(i + 1).locator('strong').innerText(), label);
    assert.match(await rows.nth(i + 1).innerText(), /\d+(\.\d+)? ?%/);
  }
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download JSONL' }).click()]);
  const chunks = [];
  for await (const chunk of await download.createReadStream()) chunks.push(chunk);
  const lines = Buffer.concat(chunks).toString().trim().split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(lines.map((line) => line.label), ['cancel_order', 'stock', 'refund']);
  for (const line of lines) {
    assert.deepEqual(Object.keys(line.probabilities).sort(), ['cancel_order', 'refund', 'stock']);
    assert.ok(Math.abs(Object.values(line.probabilities).reduce((a, b) => a + b) - 1) < 1e-9);
    assert.ok(line.label_mass > 0 && line.label_mass <= 1);
  }
  await shot(page, 'real-classify');
  await close();
});

test('the same request gives the same answer; alternatives begin branches; stopping and going on', options, async () => {
  const { page, answers, box, say, close } = await openPage(browser, url);
  await say('Hello! Who are you?');
  await page.getByRole('button', { name: 'Run again' }).click();
  await answers.first().getByText('Same answer again').waitFor();
  await page.getByRole('button', { name: 'Tokens' }).click();
  await answers.first().locator('.token').nth(1).click();
  await answered(page, () => page.getByRole('button', { name: /^Branch from here with/ }).first().click());
  assert.match(await answers.first().innerText(), /2 \/ 2/);
  await shot(page, 'real-branch');
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByRole('textbox', { name: 'Further request members' }).fill('{"ignore_eos": true}');
  // The answer comes slowly from here on, or it would be over before a busy machine has pressed Stop.
  const network = await page.context().newCDPSession(page);
  await network.send('Network.enable');
  await network.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: 16 << 10, uploadThroughput: -1 });
  await box.fill('Tell me more.');
  await box.press('Enter');
  // Of the new answer: one that was stopped before its first word has nothing to go on from.
  await page.waitForFunction(() => document.querySelectorAll('article').length === 2 && (document.querySelectorAll('article')[1].querySelector('.prose')?.textContent.length ?? 0) > 20);
  await page.getByRole('button', { name: 'Stop' }).click();
  await settled(page);
  assert.match(await answers.last().innerText(), /Stopped by you/);
  await page.getByRole('button', { name: 'Continue' }).last().click();
  await page.getByRole('button', { name: 'Stop' }).click();
  await settled(page);
  await close();
});
