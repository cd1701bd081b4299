// At three widths, light and dark: no finding of axe-core (WCAG 2.1 AA and its best practices), nothing wider than the window, and every part
// that stands there is reached. LFM_SCREENSHOTS=DIR keeps a picture of each.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { openPage, shot, startBrowser } from './browser.mjs';
import { startMock } from './mock_server.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
let browser, mock;
before(async () => {
  mock = await startMock();
  browser = await startBrowser();
});
after(async () => {
  await browser.close();
  await mock.close();
});

async function assertFine(page, name) {
  await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.cancel())));
  await shot(page, name);
  const found = await page.evaluate(async () => {
    const result = await window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'], resultTypes: ['violations'] });
    return result.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html.slice(0, 160)).join(' | ')}`);
  });
  assert.deepEqual(found, [], name);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, `${name} is too wide`);
}

for (const [width, height] of [[390, 844], [820, 1100], [1440, 900]]) {
  for (const scheme of ['light', 'dark']) {
    test(`${width} pixels, ${scheme}`, async () => {
      const { page, answers, say, close } = await openPage(browser, mock.url, { width, height, scheme, expected: ['Failed to load resource'] });
      const name = (part) => `${width}-${scheme}-${part}`;
      await page.evaluate(axe);
      await page.getByText('runs on this machine').waitFor();
      await assertFine(page, name('empty'));
      await say('markdown');
      await say('reason');
      await page.getByText('Reasoning').click();
      await say('call');
      await assertFine(page, name('chat'));
      await say('tokens 40');
      await answers.last().getByRole('button', { name: 'Tokens' }).click();
      await answers.last().locator('.token').nth(4).click();
      await assertFine(page, name('tokens'));
      await answers.last().getByRole('button', { name: 'View as code' }).click();
      await assertFine(page, name('code'));
      await page.keyboard.press('Escape');
      await answers.last().getByRole('button', { name: 'Side by side' }).click();
      await page.getByRole('button', { name: 'Ask', exact: true }).click();
      await page.getByText(/^(The same for|They part at)/).waitFor();
      await assertFine(page, name('compare'));
      await page.keyboard.press('Escape');
      await say('full');
      await page.getByRole('button', { name: 'Settings' }).click();
      await assertFine(page, name('sampling'));
      for (const part of ['Answer format', 'Tools', 'Appearance', 'This conversation']) await page.getByRole('complementary', { name: 'Settings' }).getByText(part, { exact: true }).click();
      await assertFine(page, name('settings'));
      await page.getByRole('button', { name: 'Hide settings' }).click();
      if (width < 900) await page.getByRole('button', { name: 'Show conversations' }).click();
      await assertFine(page, name('conversations'));
      await page.getByRole('button', { name: 'Options' }).click();
      await assertFine(page, name('options'));
      await page.keyboard.press('Escape');
      if (width < 900) await page.keyboard.press('Escape');
      await assertFine(page, name('error'));
      await page.getByRole('navigation', { name: 'Views' }).getByRole('button', { name: 'Classify' }).click();
      await page.getByRole('textbox', { name: 'Labels' }).fill('bill: about money\nlogin\nother');
      await page.getByRole('textbox', { name: 'Rows' }).fill('I was charged twice.\nMy password is gone.');
      await page.getByRole('button', { name: 'Classify the rows' }).click();
      await page.getByRole('heading', { name: 'Results' }).waitFor();
      assert.equal(await page.getByRole('row').count(), 3);
      await assertFine(page, name('classify'));
      await close();
    });
  }
}
