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
  page.setDefaultTimeout(30_000);
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

/** Waits until what `read` gives is `wanted`: for what comes from the browser's storage or another tab. */
export async function eventually(read, wanted) {
  for (let tries = 0; tries < 300 && (await read()) !== wanted; tries++) await new Promise((resolve) => setTimeout(resolve, 50));
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
