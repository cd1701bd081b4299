// What a person does in a chat, against the server that plays the model.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { readFile } from 'node:fs/promises';
import { answered, eventually, longConversation, openLong, openPage, settled, shown, startBrowser } from './browser.mjs';
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

/** By Tab alone one comes to every control that can be seen. */
async function assertTabReachesAll(page) {
  await page.evaluate(() => {
    document.activeElement.blur();
    const controls = [...document.querySelectorAll('a[href], button, input, textarea, select, summary, [tabindex="0"]')];
    window.unreached = new Set(controls.filter((e) => !e.disabled && e.tabIndex === 0 && e.checkVisibility()));
    window.controls = window.unreached.size;
    document.addEventListener('focusin', (event) => window.unreached.delete(event.target));
  });
  const n = await page.evaluate(() => window.controls);
  for (let i = 0; i < n + 3; i++) await page.keyboard.press('Tab');
  assert.deepEqual(await page.evaluate(() => [...window.unreached].map((e) => e.outerHTML.slice(0, 120))), []);
  assert.ok(n > 15);
}

const open = (options) => openPage(browser, mock.url, options);
const lastRequest = () => mock.state.requests.at(-1);

test('a message is sent by Enter and by the button, and the answer has its figures', async () => {
  const { page, box, answers, say, close } = await open();
  await say('tell me 20');
  assert.equal(await answers.count(), 1);
  assert.match(await answers.first().innerText(), /20 tokens\s+184 tokens\/s\s+87 % of the machine’s limit\s+first after \d+ ms\s+112 read, 40 of them cached\s+\$0\.00000152/);
  await page.getByRole('status').getByText('The answer is complete: 20 tokens.').waitFor({ state: 'attached' });
  assert.equal(await page.evaluate(() => document.activeElement.id), 'message');
  assert.equal(await page.getByRole('meter').getAttribute('aria-label'), '132 of 4,096 tokens of context used');
  await box.fill('line one');
  await box.press('Shift+Enter');
  await box.pressSequentially('line two');
  await answered(page, () => page.getByRole('button', { name: 'Send' }).click());
  assert.equal(await answers.count(), 2);
  const { messages, stream, stream_options, return_progress, logprobs } = lastRequest();
  assert.deepEqual(messages.map((m) => m.role), ['user', 'assistant', 'user']);
  assert.equal(messages[2].content, 'line one\nline two');
  assert.deepEqual({ stream, stream_options, return_progress, logprobs }, { stream: true, stream_options: { include_usage: true }, return_progress: true, logprobs: true });
  await page.getByRole('button', { name: 'New chat' }).click();
  assert.equal(await answers.count(), 0);
  await close();
});

test('markdown becomes elements, code is coloured and copied', async () => {
  const { page, answers, context, say, close } = await open();
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await say('markdown');
  const answer = answers.first();
  assert.equal(await answer.getByRole('heading', { name: 'A heading' }).count(), 1);
  assert.equal(await answer.getByRole('table').getByRole('row').count(), 3);
  assert.equal(await answer.locator('.hljs-keyword', { hasText: 'def' }).count(), 1);
  await answer.getByRole('button', { name: 'Copy code' }).click();
  await eventually(() => page.evaluate(async () => (await navigator.clipboard.readText()).slice(0, 13)), 'def fibonacci');
  const link = answer.getByRole('link', { name: 'link' });
  assert.equal(await link.getAttribute('rel'), 'noopener noreferrer nofollow');
  await close();
});

test('Stop cancels at the server, and Continue goes on from there', async () => {
  const { page, box, answers, close } = await open();
  const aborted = mock.state.aborted;
  await box.fill('slow 9000');
  await box.press('Enter');
  await page.waitForFunction(() => (document.querySelector('article')?.textContent.length ?? 0) > 80);
  await page.getByRole('button', { name: 'Stop' }).click();
  await settled(page);
  await eventually(() => mock.state.aborted, aborted + 1);
  assert.match(await answers.first().innerText(), /Stopped by you/);
  const before = (await answers.first().locator('.prose').innerText()).trim();
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.waitForFunction(() => document.querySelector('article')?.textContent.includes('and on:'));
  await page.getByRole('button', { name: 'Stop' }).click();
  await settled(page);
  const request = lastRequest();
  assert.equal(request.continue_final_message, true);
  assert.equal(request.add_generation_prompt, false);
  assert.equal(request.messages.at(-1).role, 'assistant');
  const text = (await answers.first().locator('.prose').innerText()).trim();
  assert.equal(text.slice(0, before.length - 1), before.slice(0, -1));
  await close();
});

test('regenerating and editing give branches, none is lost', async () => {
  const { page, answers, say, close } = await open();
  await say('first 10');
  const one = await answers.first().locator('.prose').innerText();
  await answered(page, () => page.getByRole('button', { name: 'Regenerate' }).click());
  const two = await answers.first().locator('.prose').innerText();
  assert.notEqual(one, two);
  await page.getByRole('button', { name: 'Previous version' }).click();
  assert.equal(await answers.first().locator('.prose').innerText(), one);
  const said = page.getByRole('group', { name: 'You' });
  await said.getByRole('button', { name: 'Edit' }).click();
  await page.getByRole('textbox', { name: 'Edited text' }).fill('second 12');
  await answered(page, () => page.getByRole('button', { name: 'Ask with this' }).click());
  assert.match(await said.innerText(), /second 12[\s\S]*2 \/ 2/);
  await said.getByRole('button', { name: 'Previous version' }).click();
  assert.match(await said.innerText(), /first 10/);
  await answers.first().getByRole('button', { name: 'Edit' }).click();
  await page.getByRole('textbox', { name: 'Edited text' }).fill('My own words');
  await page.getByRole('button', { name: 'Save as a new version' }).click();
  await answers.first().getByText('Changed by you').waitFor();
  assert.match(await answers.first().innerText(), /My own words[\s\S]*Changed by you[\s\S]*3 \/ 3/);
  await close();
});

test('reasoning is folded, calls are cards whose results go back', async () => {
  const { page, answers, say, close } = await open();
  await say('reason');
  assert.equal(await answers.first().getByText('First I look').isVisible(), false);
  await answers.first().getByText('Reasoning').click();
  assert.equal(await answers.first().getByText('First I look').isVisible(), true);
  await say('call');
  const card = page.getByRole('region', { name: 'Calls get_weather' });
  assert.match(await card.innerText(), /"city": "Oslo"/);
  await page.getByRole('textbox', { name: 'Result of get_weather' }).fill('12 degrees');
  await page.getByRole('textbox', { name: 'Result of get_time' }).fill('noon');
  await answered(page, () => page.getByRole('button', { name: 'Go on with the results' }).click());
  assert.match(await answers.last().innerText(), /The tool says: noon/);
  const messages = lastRequest().messages.slice(-3);
  assert.deepEqual(messages[0].tool_calls.map((call) => call.function.name), ['get_weather', 'get_time']);
  assert.deepEqual(messages.slice(1), [{ role: 'tool', tool_call_id: 'call_0', content: '12 degrees' }, { role: 'tool', tool_call_id: 'call_1', content: 'noon' }]);
  await close();
});

test('system prompt, sampling, schema and tools go into the request; the tester judges', async () => {
  const { page, say, close } = await open();
  await page.getByRole('button', { name: 'Settings' }).click();
  const panel = page.getByRole('complementary', { name: 'Settings' });
  await panel.getByRole('textbox', { name: 'System prompt' }).fill('Be short.');
  const temperature = panel.getByRole('spinbutton', { name: 'Temperature' });
  assert.equal(await temperature.getAttribute('placeholder'), '0.3');
  assert.equal(await panel.getByRole('spinbutton', { name: 'Repetition penalty' }).getAttribute('placeholder'), '1.05');
  await temperature.fill('0.7');
  await panel.getByRole('spinbutton', { name: 'Seed' }).fill('42');
  await panel.getByRole('textbox', { name: 'Further request members' }).fill('{"top_k": 7}');
  await panel.getByText('Answer format').click();
  await panel.getByRole('textbox', { name: 'JSON schema' }).fill('{"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["name"]}');
  const tester = panel.getByRole('textbox', { name: 'Try a document' });
  await tester.fill('{"age": "x"}');
  await panel.getByText('It does not fit:').waitFor();
  await tester.fill('{"age": 1');
  await panel.getByText('This is not JSON:').waitFor();
  await tester.fill('{"name": "Ada", "age": 1}');
  await panel.getByText('It fits the schema.').waitFor();
  await panel.getByText('Tools', { exact: true }).click();
  await panel.getByRole('textbox', { name: 'Tools as JSON' }).fill('[{"name": "f", "parameters": {}}]');
  await say('hello 5');
  const request = lastRequest();
  assert.deepEqual(request.messages[0], { role: 'system', content: 'Be short.' });
  assert.deepEqual([request.temperature, request.seed, request.top_k, request.top_p], [0.7, 42, 7, undefined]);
  assert.equal(request.response_format.json_schema.schema.required[0], 'name');
  assert.deepEqual(request.tools, [{ type: 'function', function: { name: 'f', parameters: {} } }]);
  await close();
});

test('tokens show their alternatives, and one of them begins a branch', async () => {
  const { page, answers, say, close } = await open();
  await say('tell 20');
  await page.getByRole('button', { name: 'Tokens' }).click();
  const tokens = page.getByRole('group', { name: 'Tokens of the answer' }).getByRole('button');
  assert.equal(await tokens.count(), 20);
  await tokens.nth(4).click();
  await page.keyboard.press('ArrowRight');
  const alternatives = page.getByRole('region', { name: /^Instead of/ });
  const other = alternatives.getByRole('button', { name: /^Branch from here with/ }).first();
  const label = (await other.locator('code').innerText()).replace('␣', '');
  await answered(page, () => other.click());
  const prefix = lastRequest().messages.at(-1);
  assert.equal(prefix.role, 'assistant');
  assert.ok(prefix.content.replaceAll('\n', '↵').trimEnd().endsWith(label.trim()));
  assert.match(await answers.first().innerText(), /2 \/ 2/);
  await close();
});

test('the same request gives the same answer, and the badge says so', async () => {
  const { page, answers, say, close } = await open();
  await say('same 15');
  assert.match(await answers.first().locator('.badge').innerText(), new RegExp(`Seed ${lastRequest().seed}\\s+b0\\.9\\.0-w5f3a9c1e-n7`));
  await page.getByRole('button', { name: 'Run again' }).click();
  await answers.first().getByText('Same answer again').waitFor();
  await close();
});

test('two seeds stand side by side', async () => {
  const { page, say, close } = await open();
  await say('compare 15');
  await page.getByRole('button', { name: 'Side by side' }).click();
  const dialog = page.getByRole('dialog', { name: 'Side by side' });
  await dialog.getByRole('spinbutton', { name: 'Seed' }).fill('7');
  await dialog.getByRole('button', { name: 'Ask' }).click();
  await dialog.getByText(/^(The same for \d+ characters?, then they part|They part at the first character)\.$/).waitFor();
  assert.equal(lastRequest().seed, 7);
  await dialog.getByRole('button', { name: 'Go on from this one' }).last().click();
  assert.match(await page.getByRole('article').first().innerText(), /2 \/ 2/);
  await close();
});

test('a request is shown as curl, Python and JavaScript', async () => {
  const { page, say, close } = await open();
  await say("it's 5");
  await page.getByRole('button', { name: 'View as code' }).click();
  const dialog = page.getByRole('dialog', { name: 'View as code' });
  assert.match(await dialog.getByRole('tabpanel').innerText(), /curl -N http:\/\/127\.0\.0\.1:\d+\/v1\/chat\/completions/);
  assert.match(await dialog.getByRole('tabpanel').innerText(), /it'\\''s 5/);
  await dialog.getByRole('tab', { name: 'curl' }).press('ArrowRight');
  assert.match(await dialog.getByRole('tabpanel').innerText(), /from openai import OpenAI/);
  await dialog.getByRole('tab', { name: 'Python' }).press('ArrowRight');
  assert.match(await dialog.getByRole('tabpanel').innerText(), /await fetch\(/);
  await page.keyboard.press('Escape');
  assert.equal(await dialog.count(), 0);
  await close();
});

test('attached files go with the message', async () => {
  const { page, say, answers, close } = await open();
  const choosing = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: 'Attach text files' }).click();
  await (await choosing).setFiles([{ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('alpha ``` beta') }, { name: 'x.bin', mimeType: 'text/plain', buffer: Buffer.from([0xff, 0xfe, 0]) }]);
  await shown(page, 'x.bin is not a text file');
  await say('read 5');
  assert.equal(lastRequest().messages.at(-1).content, 'read 5\n\nFile notes.txt:\n````\nalpha ``` beta\n````');
  assert.equal(await answers.count(), 1);
  await page.evaluate(() => {
    const data = new DataTransfer();
    data.items.add(new File(['dropped'], 'drop.txt'));
    document.querySelector('.composer').dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: data }));
    const pasted = new DataTransfer();
    pasted.setData('text/plain', 'x'.repeat(20_001));
    document.getElementById('message').dispatchEvent(new ClipboardEvent('paste', { bubbles: true, cancelable: true, clipboardData: pasted }));
  });
  await page.getByRole('list', { name: 'Attached files' }).getByText('drop.txt').waitFor();
  await page.getByRole('list', { name: 'Attached files' }).getByText('pasted.txt').waitFor();
  await page.getByRole('button', { name: 'Take pasted.txt away' }).click();
  await say('again 5');
  assert.equal(lastRequest().messages.at(-1).content, 'again 5\n\nFile drop.txt:\n```\ndropped\n```');
  await close();
});

test('reading the prompt shows how far it is, and what was cached', async () => {
  const { page, box, answers, close } = await open();
  await box.fill('prompt 5');
  await box.press('Enter');
  const bar = answers.first().getByRole('progressbar', { name: 'Prompt read' });
  await bar.waitFor();
  await eventually(() => bar.getAttribute('aria-valuenow'), '80');
  assert.equal(await bar.getAttribute('aria-valuemax'), '112');
  assert.match(await answers.first().innerText(), /Reading the prompt: 80 of 112 tokens, 40 from the cache/);
  mock.state.goOn();
  await settled(page);
  assert.match(await answers.first().innerText(), /5 tokens/);
  await close();
});

test('while an answer streams, nothing else is drawn again, however long the conversation', async () => {
  const { page, answers, close } = await openLong(browser, mock.url, longConversation(60, 100));
  await page.evaluate(() => {
    window.changes = { elsewhere: 0, most: 0 };
    const column = document.querySelector('.column');
    let length = 0;
    new MutationObserver((records) => {
      const streams = column.querySelector('article[aria-busy="true"]');
      if (!streams || !window.begun) return;
      window.changes.elsewhere += records.filter((record) => !streams.contains(record.target)).length;
      // A frame that comes late has more text to add: no more than a node for each of its characters.
      const grown = streams.textContent.length - length;
      length += grown;
      window.changes.most = Math.max(window.changes.most, records.reduce((sum, record) => sum + record.addedNodes.length, 0) - grown);
    }).observe(column, { subtree: true, childList: true, characterData: true, attributes: true });
  });
  await page.getByRole('textbox', { name: 'Message' }).fill('held 120');
  let see;
  mock.state.seen = new Promise((resolve) => (see = resolve));
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => (window.begun = (document.querySelector('article[aria-busy="true"] .prose')?.textContent.length ?? 0) > 20));
  see();
  await settled(page);
  const { elsewhere, most } = await page.evaluate(() => window.changes);
  assert.equal(await answers.count(), 31);
  assert.equal(elsewhere, 0);
  assert.ok(most <= 8, `${most} nodes added in one frame beyond the text that came`);
  await close();
});

test('rows are classified: typed, or from a CSV file that is dropped; bars, downloads, kept over a reload', async () => {
  const { page, close } = await open();
  await page.getByRole('navigation', { name: 'Views' }).getByRole('button', { name: 'Classify' }).click();
  await page.getByRole('button', { name: 'Classify the rows' }).click();
  await page.getByText('Give at least two different labels.').waitFor();
  await page.getByRole('textbox', { name: 'Labels' }).fill('bill: about money\nlogin\n<img src=x onerror=alert(1)>');
  await page.evaluate(() => {
    const data = new DataTransfer();
    data.items.add(new File(['id,text\n1,"twice, and\ncharged"\n2,gone\n'], 'rows.csv'));
    document.querySelector('.classify').dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: data }));
  });
  assert.equal(await page.getByRole('combobox', { name: 'Column with the text' }).inputValue(), '1');
  await page.getByRole('button', { name: 'Take this column' }).click();
  await page.getByText('3 labels, 2 rows').waitFor();
  await page.getByRole('button', { name: 'Classify the rows' }).click();
  const rows = page.getByRole('region', { name: 'Results' }).getByRole('row');
  await rows.nth(2).waitFor();
  assert.match(await rows.nth(1).innerText(), /^twice, and\s+charged/);
  assert.equal(await rows.nth(1).locator('.shares rect').count(), 3);
  const widths = await rows.nth(1).locator('.shares rect').evaluateAll((bars) => bars.map((bar) => Number(bar.getAttribute('width'))));
  assert.ok(widths[0] >= widths[1] && widths[1] >= widths[2] && Math.abs(widths[0] + widths[1] + widths[2] - 100) < 1e-6);
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download CSV' }).click()]);
  const [head, first] = (await readFile(await download.path(), 'utf8')).split('\r\n');
  assert.equal(head, 'text,label,probability,label_mass,bill,login,<img src=x onerror=alert(1)>');
  assert.match(first, /^"twice, and\ncharged",/);
  await page.getByRole('navigation', { name: 'Views' }).getByRole('button', { name: 'Chat' }).click();
  await page.getByRole('textbox', { name: 'Message' }).waitFor();
  await page.getByRole('navigation', { name: 'Views' }).getByRole('button', { name: 'Classify' }).click();
  assert.equal(await rows.count(), 3);
  await page.reload();
  await eventually(() => page.getByRole('textbox', { name: 'Rows' }).inputValue(), 'twice, and charged\ngone');
  assert.match(await page.getByRole('textbox', { name: 'Labels' }).inputValue(), /^bill: about money\n/);
  await close();
});

test('the keyboard reaches everything', async () => {
  const { page, box, say, close } = await open();
  await say('keys 5');
  await assertTabReachesAll(page);
  await page.getByRole('button', { name: 'Regenerate' }).focus();
  await answered(page, () => page.keyboard.press('Enter'));
  await page.getByRole('button', { name: 'Options' }).focus();
  await page.keyboard.press('Space');
  await page.waitForFunction(() => document.activeElement?.id === 'rename'); // the dialog takes the focus
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => document.activeElement?.getAttribute('aria-label') === 'Options'); // and gives it back
  await page.keyboard.press('Control+k');
  await page.waitForFunction(() => document.activeElement?.id === 'search');
  await page.keyboard.press('Control+Shift+O');
  await page.waitForFunction(() => document.activeElement?.id === 'message');
  assert.equal(await page.getByRole('article').count(), 0);
  await page.keyboard.press('Control+/');
  await page.getByRole('dialog', { name: 'Keyboard' }).waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Control+,');
  await page.getByRole('complementary', { name: 'Settings' }).waitFor();
  await box.fill('slow 9000');
  await box.press('Enter');
  await page.getByRole('button', { name: 'Stop' }).waitFor();
  await page.waitForFunction(() => document.querySelector('article')?.textContent.length > 20);
  await page.keyboard.press('Escape');
  await settled(page);
  assert.match(await page.getByRole('article').innerText(), /Stopped by you/);
  await close();
});
