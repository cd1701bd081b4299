// Nothing is lost: reloads, a second tab, broken streams, a server that is gone, busy or refuses; search, tags, transfer.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { answered, eventually, openPage, settled, shown, startBrowser } from './browser.mjs';
import { startMock } from './mock_server.mjs';

let browser, mock;
before(async () => {
  mock = await startMock();
  browser = await startBrowser();
});
after(async () => {
  await browser.close();
  await mock.close();
});

const open = (options) => openPage(browser, mock.url, options);
const network = 'Failed to load resource';

test('a reload keeps conversations, the draft and the branch; a stream that it broke is marked and continued', async () => {
  const { page, box, answers, say, close } = await open();
  await say('keep 10');
  const text = await answers.first().locator('.prose').innerText();
  await box.fill('not yet sent');
  await page.reload();
  await answers.first().waitFor();
  await eventually(() => answers.first().locator('.prose').innerText(), text);
  await eventually(() => box.inputValue(), 'not yet sent');
  await box.fill('slow 9000');
  await box.press('Enter');
  await page.waitForFunction(() => [...document.querySelectorAll('article')].at(-1).textContent.length > 300);
  await page.reload();
  await page.getByText('The page was closed or reloaded while this answer came.').waitFor();
  assert.ok((await answers.last().locator('.prose').innerText()).length > 20);
  await page.getByRole('button', { name: 'Continue' }).last().click();
  await page.getByRole('button', { name: 'Stop' }).click();
  await settled(page);
  await close();
});

test('a letter is kept when it is typed, not when the page is next drawn', async () => {
  const { page, box, say, close } = await open();
  await say('letters 3');
  const isKept = await box.evaluate((area) => {
    area.value = 'to the last';
    area.dispatchEvent(new InputEvent('input', { bubbles: true }));
    const kept = Object.values(localStorage).includes('to the last'); // what a page that is gone now would leave
    location.reload();
    return kept;
  });
  assert.ok(isKept);
  await page.getByRole('article').first().waitFor();
  await eventually(() => box.inputValue(), 'to the last');
  await close();
});

test('a new chat that is not yet sent outlives a reload: its text, file and settings', async () => {
  const { page, box, say, close } = await open();
  await say('before 5');
  await page.getByRole('button', { name: 'New chat' }).click();
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByRole('textbox', { name: 'System prompt' }).fill('Be short.');
  await box.fill('half a thou');
  const choosing = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: 'Attach text files' }).click();
  await (await choosing).setFiles([{ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('alpha') }]);
  await page.getByText('notes.txt').waitFor();
  const isThere = async () => {
    await eventually(() => box.inputValue(), 'half a thou');
    await page.getByText('notes.txt').waitFor();
    assert.equal(await page.getByRole('textbox', { name: 'System prompt' }).inputValue(), 'Be short.');
  };
  await page.reload();
  await isThere();
  await page.getByRole('navigation', { name: 'Conversations' }).getByRole('link').first().click();
  await page.getByRole('article').waitFor();
  await page.getByRole('button', { name: 'New chat' }).click();
  await isThere();
  await page.getByRole('button', { name: 'New chat' }).click();
  await eventually(() => box.inputValue(), '');
  assert.equal(await page.getByRole('textbox', { name: 'System prompt' }).inputValue(), '');
  await close();
});

test('two tabs see each other’s work', async () => {
  const first = await open();
  await first.say('tabs 8');
  const second = await openPage(browser, first.page.url(), { context: first.context });
  await eventually(() => second.answers.count(), 1);
  await second.say('more 8');
  await first.page.waitForFunction(() => document.querySelectorAll('article').length === 2 && !document.querySelector('[aria-busy="true"]'));
  await first.say('again 8');
  await second.page.waitForFunction(() => document.querySelectorAll('article').length === 3);
  await second.close();
  await first.close();
});

test('a stream that is cut, or ends in an error, is kept, said in words and continued', async () => {
  const { page, answers, say, close } = await open({ expected: ['ERR_INCOMPLETE_CHUNKED_ENCODING', 'ERR_CONNECTION'] });
  await say('cut 40');
  assert.match(await answers.first().innerText(), /The connection broke before the answer was whole/);
  await answered(page, () => page.getByRole('button', { name: 'Continue' }).click());
  await say('broken 40');
  assert.match(await answers.last().innerText(), /The server failed at this\. It says: The engine is ending\./);
  await close();
});

test('a busy server is asked again; a full context and a refusal are said in words', async () => {
  const { answers, say, page, close } = await open({ expected: [network] });
  mock.state.busy = 0;
  await page.getByRole('textbox', { name: 'Message' }).fill('busy 5');
  await page.keyboard.press('Enter');
  await shown(page, 'The server is busy. Trying again in 1 second');
  await settled(page);
  assert.match(await answers.last().innerText(), /5 tokens/);
  await say('queue');
  assert.match(await answers.last().innerText(), /The server’s queue is full\. It says: The queue holds 64 requests\. Wait a moment and try again\./);
  await say('full');
  assert.match(await answers.last().innerText(), /no longer fits the model’s context\. It says: This model's maximum context length is 4096 tokens/);
  await say('refuse');
  assert.match(await answers.last().innerText(), /The server refused the request\. It says: temperature is above 2\./);
  assert.equal(await answers.last().getByRole('button', { name: 'Try again' }).count(), 1);
  await close();
});

test('a server that is gone says so, and comes back', async () => {
  const own = await startMock();
  const { page, answers, say, box, close } = await openPage(browser, own.url, { expected: [network] });
  await say('here 5');
  await own.close();
  await box.fill('there 5');
  await box.press('Enter');
  await answers.last().getByText(/The server at 127\.0\.0\.1:\d+ does not answer\./).waitFor();
  const again = await startMock({ port: own.port });
  await answered(page, () => page.getByRole('button', { name: 'Try again' }).click());
  await page.waitForFunction(() => !document.querySelector('.notice'));
  assert.match(await answers.last().innerText(), /5 tokens/);
  await close();
  await again.close();
});

test('a key is asked for, a wrong one is said', async () => {
  const own = await startMock({ key: 'right' });
  const { page, say, answers, close } = await openPage(browser, own.url, { expected: [network] });
  const dialog = page.getByRole('dialog', { name: 'This server wants a key' });
  await dialog.getByLabel('API key').fill('wrong');
  await dialog.getByRole('button', { name: 'Use this key' }).click();
  await dialog.getByText('The server did not take this key.').waitFor();
  await dialog.getByLabel('API key').fill('right');
  await page.keyboard.press('Enter');
  await page.getByText('mock-8b-a1b runs on this machine').waitFor();
  await say('hello 5');
  assert.match(await answers.first().innerText(), /5 tokens/);
  await page.reload();
  await say('again 5');
  assert.equal(await dialog.count(), 0);
  await close();
  await own.close();
});

test('search, tags, titles, deletion', async () => {
  const { page, say, close } = await open();
  await say('apples 5');
  await page.getByRole('button', { name: 'New chat' }).click();
  await say('pears 5');
  const list = page.getByRole('navigation', { name: 'Conversations' }).getByRole('link');
  await eventually(() => list.count(), 2);
  await page.getByRole('searchbox', { name: 'Search conversations' }).fill('apples');
  await page.waitForFunction(() => document.querySelectorAll('.entries a').length === 1);
  await page.getByRole('searchbox').fill('nowhere at all');
  await page.getByText('No conversation holds these words.').waitFor();
  await page.getByRole('searchbox').fill('');
  await page.waitForFunction(() => document.querySelectorAll('.entries a').length === 2);
  await page.getByRole('button', { name: 'Options' }).first().click();
  await page.getByRole('textbox', { name: 'Title of the conversation' }).fill('Fruit');
  await page.getByRole('textbox', { name: 'Tags' }).fill('food, work');
  await page.getByRole('button', { name: 'Save' }).click();
  await eventually(() => page.getByRole('heading', { level: 1 }).innerText(), 'Fruit');
  await page.getByRole('group', { name: 'Tags' }).getByRole('button', { name: 'food' }).click();
  await eventually(() => list.count(), 1);
  await page.getByRole('button', { name: 'Options' }).click();
  await page.getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('button', { name: 'Delete it' }).click();
  await page.waitForFunction(() => document.querySelectorAll('.entries a').length === 1);
  await page.reload();
  await list.first().waitFor();
  assert.match(await list.first().innerText(), /apples 5/);
  await close();
});

test('what was exported is imported: JSON with every branch, Markdown as it is read', async () => {
  const { page, say, answers, close } = await open();
  await say('# not a heading 5');
  await answered(page, () => page.getByRole('button', { name: 'Regenerate' }).click());
  const text = await answers.first().locator('.prose').innerText();
  await page.getByRole('button', { name: 'Settings' }).click();
  await page.getByText('This conversation').click();
  const paths = [];
  for (const name of ['Export JSON', 'Export Markdown']) {
    const downloading = page.waitForEvent('download');
    await page.getByRole('button', { name }).click();
    paths.push(await (await downloading).path());
  }
  await page.getByRole('button', { name: 'New chat' }).click();
  for (const [i, file] of ['chat.json', 'chat.md'].entries()) {
    const choosing = page.waitForEvent('filechooser');
    await page.getByRole('button', { name: 'Import' }).click();
    await (await choosing).setFiles([{ name: file, mimeType: 'text/plain', buffer: await readFile(paths[i]) }]);
    await page.waitForFunction((n) => document.querySelectorAll('.entries a').length === n, i + 2);
  }
  const links = page.getByRole('navigation', { name: 'Conversations' }).getByRole('link');
  const branches = [];
  for (let i = 0; i < 3; i++) {
    await links.nth(i).click();
    await page.waitForFunction((n) => document.querySelectorAll('.entries li')[n]?.classList.contains('here'), i);
    await answers.first().waitFor();
    assert.equal(await answers.first().locator('.prose').innerText(), text);
    assert.match(await page.getByRole('group', { name: 'You' }).innerText(), /# not a heading 5/);
    branches.push(/2 \/ 2/.test(await answers.first().innerText()));
  }
  assert.equal(branches.filter(Boolean).length, 2);
  await close();
});
