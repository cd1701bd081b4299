// A browser for the tests. Whatever no test may cause is gathered as `faults` and fails the test at its end: errors on
// the console, breaches of the policy, requests to other hosts, exceptions. LFM_SCREENSHOTS=DIR keeps pictures there.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync } from 'node:fs';
import { chromium } from 'playwright-core';

const executablePath = process.env.LFM_CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path));
export const screenshots = process.env.LFM_SCREENSHOTS;
if (screenshots) mkdirSync(screenshots, { recursive: true });

/** One browser a test file. Sandboxing of chromium itself needs a user who is not root. */
export async function startBrowser() {
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({ executablePath, args });
}

/** A page of its own profile on url. expected: faults that the test itself causes (substrings). */
export async function openPage(browser, url, { width = 1440, height = 900, scheme = 'light', expected = [], context: given } = {}) {
  const context = given ?? (await browser.newContext({ viewport: { width, height }, colorScheme: scheme, acceptDownloads: true }));
  const page = await context.newPage();
  page.setDefaultTimeout(120_000);
  const faults = [];
  const fault = (text) => {
    if (!expected.some((part) => text.includes(part))) faults.push(text);
  };
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') fault(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => fault(`exception: ${error.stack}`));
  page.on('request', (request) => {
    if (!/^(data|blob):/.test(request.url()) && new URL(request.url()).host !== new URL(url).host) fault(`foreign request: ${request.url()}`);
  });
  await page.addInitScript(() => addEventListener('securitypolicyviolation', (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`)));
  await page.addInitScript(() => {
    window.shown = new Set();
    new MutationObserver((records) => {
      for (const { type, target, addedNodes } of records) {
        for (const node of type === 'characterData' ? [target] : addedNodes) if (!(node.childElementCount > 9)) window.shown.add((node.textContent ?? '').slice(0, 300));
      }
    }).observe(document, { subtree: true, childList: true, characterData: true });
  });
  await page.goto(url);
  const box = page.getByRole('textbox', { name: 'Message' });
  await box.waitFor();
  return {
    page,
    context,
    box,
    log: page.getByRole('log'),
    answers: page.getByRole('log').getByRole('article'),
    /** Says something and waits for the whole answer. */
    async say(text) {
      await box.fill(text);
      await answered(page, () => box.press('Enter'));
    },
    async close() {
      if (!given) await context.close();
      assert.deepEqual(faults, []);
    },
  };
}

/** Does what makes the model answer, and waits for the whole answer: the page must have been busy, and be so no more. */
export async function answered(page, act) {
  await page.evaluate(() => {
    window.wasBusy = false;
    const observer = new MutationObserver(() => {
      if (!document.querySelector('article[aria-busy="true"], button[aria-label="Stop"]')) return;
      window.wasBusy = true;
      observer.disconnect();
    });
    observer.observe(document.body, { subtree: true, childList: true, attributes: true });
  });
  await act();
  await page.waitForFunction(() => window.wasBusy);
  await settled(page);
}

/** Waits until this was on the page, however short a time: what shows itself for seconds may be gone before a test on a busy machine looks. */
export const shown = (page, text) => page.waitForFunction((part) => [...window.shown].some((one) => one.includes(part)), text);

/** Waits until what `read` gives is `wanted`: for what comes from the browser's storage or another tab. */
export async function eventually(read, wanted) {
  for (let tries = 0; tries < 2400 && (await read()) !== wanted; tries++) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(await read(), wanted);
}

/** Waits until nothing streams: Send is back, and the last answer is whole. */
export async function settled(page) {
  await page.getByRole('article').last().waitFor();
  await page.waitForFunction(() => !document.querySelector('article[aria-busy="true"]') && document.querySelector('button[aria-label="Send"]'));
}

export async function shot(page, name) {
  if (screenshots) await page.screenshot({ path: `${screenshots}/${name}.png` });
}

// 100 tokens of the kinds of text that answers are made of, some 400 characters.
const paragraph = `Reading a prompt costs **less** than writing: the weights are read once for many positions. See [the notes](https://example.org/notes) and \`docs/engine.md\`.

- the first token waits for the whole prompt
- every further one reads all *active* weights once

\`\`\`python
def tokens_per_second(bandwidth, bytes_read):
    return bandwidth / bytes_read  # the limit of the machine
\`\`\`

| part | share |
| :--- | ---: |
| experts | 71 % |
| attention | 9 % |

`;

/** An export of one conversation: so many messages, every second one an answer, of so many tokens each. */
export function longConversation(count, tokens) {
  const conversation = { id: 'a', title: 'Long', titleGiven: true, tags: [], created: 1, updated: 1, leaf: `m${count - 1}`, system: '', tools: '', schema: '', settings: {} };
  const stats = { promptTokens: 1000, cachedTokens: 900, answerTokens: tokens, firstTokenMs: 80, tokensPerSecond: 60, totalMs: 8000 };
  const token = { text: ' the', logprob: -0.2, alternatives: [{ text: ' the', logprob: -0.2 }, { text: ' a', logprob: -2 }] };
  const messages = Array.from({ length: count }, (_, i) => ({
    id: `m${i}`, conversation: 'a', parent: i === 0 ? null : `m${i - 1}`, created: i + 1, role: i % 2 ? 'assistant' : 'user', content: paragraph.repeat(Math.round(tokens / 100)),
    ...(i % 2 ? { status: 'done', stats, request: { seed: i }, tokens: Array.from({ length: tokens }, () => token) } : {}),
  }));
  return JSON.stringify({ format: 'lfm-conversations', version: 1, entries: [{ conversation, messages }] });
}

/** Imports an export of one conversation and opens it; window.openedIn says how long that took. */
export async function openLong(browser, url, text) {
  const opened = await openPage(browser, url);
  const { page } = opened;
  const choosing = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: 'Import' }).click();
  await (await choosing).setFiles([{ name: 'long.json', mimeType: 'application/json', buffer: Buffer.from(text) }]);
  const link = page.getByRole('navigation', { name: 'Conversations' }).getByRole('link');
  await link.waitFor();
  await page.evaluate(async () => {
    const begin = performance.now();
    document.querySelector('.entries a').click();
    while (!document.querySelector('article')) await new Promise(requestAnimationFrame);
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    window.openedIn = performance.now() - begin;
  });
  return opened;
}
