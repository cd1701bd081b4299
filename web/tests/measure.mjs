// Figures of docs/page.md, on a machine that does nothing else:
//   node tests/measure.mjs [URL]
// The first load: time until something is seen and until one can write, with an empty cache, from URL (a running lfm serve)
// or from the server that plays the model. Then 200 messages of 500 tokens: how long it takes to open them, and each frame's time
// while they are scrolled through and while a further answer of 500 tokens streams below them.
import { longConversation, openLong, startBrowser } from './browser.mjs';
import { startMock } from './mock_server.mjs';

const mock = await startMock();
const browser = await startBrowser();
const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
const figures = (list) => `median ${median(list).toFixed(1)} ms, 99 % below ${list.toSorted((a, b) => a - b)[Math.floor(list.length * 0.99)].toFixed(1)} ms, longest ${Math.max(...list).toFixed(1)} ms (${list.length})`;

async function firstLoads(url) {
  const seen = [];
  const ready = [];
  let size = 0;
  for (let i = 0; i < 15; i++) {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(url);
    await page.getByRole('textbox', { name: 'Message' }).waitFor();
    const load = await page.evaluate(async () => {
      const paint = () => performance.getEntriesByName('first-contentful-paint')[0]?.startTime;
      while (!paint()) await new Promise((resolve) => setTimeout(resolve, 10));
      const files = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource').filter((e) => /\.(js|css|svg)$/.test(e.name))];
      return { paint: paint(), ready: performance.getEntriesByName('lfm-ready')[0].startTime, size: files.reduce((sum, e) => sum + e.transferSize, 0) };
    });
    seen.push(load.paint);
    ready.push(load.ready);
    size = load.size;
    await context.close();
  }
  console.log(`first load from ${new URL(url).host}: ${size} bytes; first paint ${figures(seen)}; ready ${figures(ready)}`);
}

/** The times between frames while act runs in the page, and what the main thread spent on each. */
async function frames(page, act) {
  await page.evaluate(() => {
    window.frameTimes = [];
    let last = performance.now();
    const tick = (now) => {
      window.frameTimes?.push(now - last);
      last = now;
      if (window.frameTimes) requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  });
  const client = await page.context().newCDPSession(page);
  await client.send('Performance.enable');
  const busy = async () => (await client.send('Performance.getMetrics')).metrics.find((m) => m.name === 'TaskDuration').value;
  const before = await busy();
  await act();
  const spent = (await busy()) - before;
  const times = await page.evaluate(() => {
    const list = window.frameTimes.slice(2);
    window.frameTimes = null;
    return list;
  });
  return `${figures(times)}; main thread ${((1000 * spent) / times.length).toFixed(1)} ms a frame`;
}

await firstLoads(mock.url);
if (process.argv[2]) await firstLoads(process.argv[2]);

const { page, box } = await openLong(browser, mock.url, longConversation(200, 500));
console.log(`200 messages of 500 tokens: opened in ${(await page.evaluate(() => window.openedIn)).toFixed(0)} ms, ${await page.evaluate(() => document.querySelectorAll('*').length)} elements`);
console.log(`scrolling: ${await frames(page, () => page.evaluate(async () => {
  const log = document.querySelector('.log');
  for (let i = 0; i < 240; i++) {
    log.scrollTop -= 120;
    await new Promise(requestAnimationFrame);
  }
  log.scrollTop = log.scrollHeight;
}))}`);
await box.fill('steady 500');
console.log(`streaming: ${await frames(page, async () => {
  await page.keyboard.press('Enter');
  // Looking by role goes over all elements, which would count as the page's own time.
  await page.evaluate(async () => {
    const wait = () => new Promise((resolve) => setTimeout(resolve, 100));
    while (!document.querySelector('.composer .stop')) await wait();
    while (document.querySelector('.composer .stop')) await wait();
  });
})}`);
await browser.close();
await mock.close();
