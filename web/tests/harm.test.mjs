// Texts made to do harm: nothing of them runs, nothing is fetched, nothing hides.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openPage, shown, startBrowser } from './browser.mjs';
import { harmful, startMock } from './mock_server.mjs';

let browser, mock;
before(async () => {
  mock = await startMock();
  browser = await startBrowser();
});
after(async () => {
  await browser.close();
  await mock.close();
});

const harmed = (page) => page.evaluate(() => window.harmed);

/** Nothing of the kind that could act stands in the document, and no link leads to a program. */
async function assertHarmless(page) {
  assert.equal(await harmed(page), undefined);
  const root = page.locator('#app');
  assert.equal(await root.locator('script, iframe, object, embed, img, video, audio, base, meta, link, style, [onerror], [onload], [srcdoc]').count(), 0);
  for (const href of await root.locator('a').evaluateAll((links) => links.map((a) => a.getAttribute('href')))) assert.match(href, /^(#|https?:|mailto:)/);
}

test('an answer with markup, programs in links and pictures', async () => {
  const { page, answers, say, close } = await openPage(browser, mock.url);
  await say('harm');
  await assertHarmless(page);
  const text = await answers.first().innerText();
  assert.match(text, /<script>window\.harmed = 1<\/script>/);
  assert.match(text, /picture at elsewhere\.example, not loaded/);
  assert.match(text, /U\+202E/);
  assert.match(text, /U\+200B/);
  assert.equal(await answers.first().getByRole('link', { name: 'ok' }).getAttribute('href'), 'https://example.org/');
  assert.equal(await answers.first().getByRole('link', { name: 'run' }).count(), 0);
  await close();
});

test('a message, its title, a tool result and the token view', async () => {
  const { page, box, say, close } = await openPage(browser, mock.url, { expected: ['Failed to load resource'] });
  await box.fill(harmful);
  await box.press('Enter');
  await page.getByRole('button', { name: 'Send' }).waitFor();
  await say('fails');
  assert.match(await page.getByRole('article').last().innerText(), /The server failed at this\. It says: <script>/);
  await say('call');
  await page.getByRole('textbox', { name: 'Result of get_weather' }).fill(harmful);
  await page.getByRole('button', { name: 'Go on with the results' }).click();
  await page.getByText('Result of get_weather').first().click();
  await assertHarmless(page);
  const title = await page.getByRole('heading', { level: 1 }).innerText();
  assert.doesNotMatch(title, /[\u202A-\u202E\u2066-\u2069\u200B]/);
  await page.getByRole('button', { name: 'Tokens' }).last().click();
  await assertHarmless(page);
  await close();
});

// Each nests in a way of its own: in readers, in what they give, in the elements.
const deep = 10_000;
const nested = {
  quotes: `${'> '.repeat(deep)}x`,
  lists: Array.from({ length: 500 }, (_, i) => `${' '.repeat(2 * i)}- x`).join('\n'),
  emphasis: '*a '.repeat(deep) + 'b* '.repeat(deep),
  strong: '**a '.repeat(deep) + 'b** '.repeat(deep),
  struck: '~~a '.repeat(deep) + 'b~~ '.repeat(deep),
  links: `${'['.repeat(deep)}x${'](u)'.repeat(deep)}`,
  pictures: `${'!['.repeat(deep)}x${'](u)'.repeat(deep)}`,
  json: '['.repeat(deep) + ']'.repeat(deep),
  program: `\`\`\`js\n${'`${'.repeat(deep)}\n\`\`\``,
  shell: `\`\`\`bash\n${'"$('.repeat(deep)}\n\`\`\``,
};

test('Markdown and programs nested ten thousand deep, each in its way', async () => {
  const { page, answers, close } = await openPage(browser, mock.url);
  const conversation = { id: 'a', title: 'Deep', titleGiven: true, tags: [], created: 1, updated: 1, leaf: 'shell', settings: {} };
  const names = Object.keys(nested);
  const messages = names.map((id, i) => ({ id, conversation: 'a', parent: names[i - 1] ?? null, created: i, role: 'assistant', content: nested[id], status: 'done' }));
  const choosing = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: 'Import' }).click();
  await (await choosing).setFiles([{ name: 'deep.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify({ format: 'lfm-conversations', version: 1, entries: [{ conversation, messages }] })) }]);
  await page.getByRole('navigation', { name: 'Conversations' }).getByRole('link').click();
  await answers.nth(names.length - 1).waitFor();
  const seen = await answers.evaluateAll((list) => list.map((article) => article.querySelectorAll('.prose, .code').length));
  assert.ok(seen.every((n) => n > 0), String(seen));
  assert.match(await answers.nth(names.indexOf('emphasis')).textContent(), /^(a ){9999}/);
  await assertHarmless(page);
  await close();
});

test('Markdown nested ten thousand deep while it streams', async () => {
  const { page, answers, box, close } = await openPage(browser, mock.url);
  await box.fill('deep');
  await box.press('Enter');
  await page.waitForFunction(() => document.querySelector('article footer'));
  assert.equal(await answers.count(), 1);
  await assertHarmless(page);
  await close();
});

test('an imported file that holds the same, and ones that are damaged', async () => {
  const { page, close } = await openPage(browser, mock.url);
  const conversation = { id: 'a', title: harmful, titleGiven: true, tags: [harmful], created: 1, updated: 1, leaf: 'm2', system: harmful, tools: harmful, schema: harmful, settings: {} };
  const messages = [
    { id: 'm1', conversation: 'a', parent: null, created: 1, role: 'user', content: harmful, files: [{ name: harmful, text: harmful }] },
    { id: 'm2', conversation: 'a', parent: 'm1', created: 2, role: 'assistant', content: harmful, reasoning: harmful, status: 'failed', toolCalls: [{ id: 'c', name: harmful, arguments: harmful }] },
  ];
  const whole = { format: 'lfm-conversations', version: 1, entries: [{ conversation, messages }] };
  const importing = async (name, text) => {
    const choosing = page.waitForEvent('filechooser');
    await page.getByRole('button', { name: 'Import' }).click();
    await (await choosing).setFiles([{ name, mimeType: 'application/json', buffer: Buffer.from(text) }]);
  };
  await importing('harm.json', JSON.stringify(whole));
  await shown(page, 'Imported 1 conversation.');
  await page.getByRole('navigation', { name: 'Conversations' }).getByRole('link').first().click();
  await page.getByRole('article').waitFor();
  await page.getByRole('button', { name: 'Settings' }).click();
  await assertHarmless(page);
  const ring = structuredClone(whole);
  ring.entries[0].messages[0].parent = 'm2';
  for (const [name, text, reason] of [
    ['ring.json', JSON.stringify(ring), 'parent is not as an export has it'],
    ['list.json', '[1]', 'it is not an export of this page'],
    ['half.json', '{"format"', 'it is not JSON'],
    ['proto.json', '{"format":"lfm-conversations","entries":[{"conversation":{"__proto__":{"x":1}},"messages":[]}]}', 'is not as an export has it'],
    ['deep.json', '['.repeat(100_000), 'it is not JSON'],
    ['none.md', 'no turn here', 'it holds no message'],
  ]) {
    await importing(name, text);
    await page.waitForFunction(([start, end]) => [...window.shown].some((text) => text.includes(start) && text.includes(end)), [`${name} was not imported:`, reason]);
  }
  assert.equal(await page.getByRole('navigation', { name: 'Conversations' }).getByRole('link').count(), 1);
  await close();
});
