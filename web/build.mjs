// Builds the page into dist/, which is checked in: who builds lfm needs no node.
//   node build.mjs           writes dist/
//   node build.mjs --check   says whether dist/ is what the sources give (exit 1: it is not)
import { readFile, writeFile, mkdir, readdir, rm } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const root = new URL('./', import.meta.url);
const dist = new URL('dist/', root);

/** Every file of the page by name. The same sources and package-lock.json give the same bytes. */
export async function buildFiles() {
  const result = await build({
    absWorkingDir: root.pathname,
    entryPoints: [{ in: 'src/main.tsx', out: 'app' }],
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    charset: 'utf8',
    legalComments: 'none',
    outdir: 'dist',
    write: false,
    metafile: true,
    logLevel: 'warning',
  });
  const files = new Map();
  for (const file of result.outputFiles) files.set(file.path.split('/').at(-1), Buffer.from(file.contents));
  for (const name of ['index.html', 'icon.svg']) files.set(name, await readFile(new URL(`src/${name}`, root)));
  files.set('licenses.txt', await licenses(Object.keys(result.metafile.inputs)));
  return files;
}

/** The licences of every package that went into the page, as those ask for. */
async function licenses(inputs) {
  const names = new Set(inputs.map((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]).filter(Boolean));
  const parts = [];
  for (const name of [...names].sort()) {
    const folder = new URL(`node_modules/${name}/`, root);
    const { version, license } = JSON.parse(await readFile(new URL('package.json', folder), 'utf8'));
    const file = (await readdir(folder)).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
    const text = file ? await readFile(new URL(file, folder), 'utf8') : '';
    parts.push(`${name} ${version} (${license})\n\n${text.replaceAll('\r\n', '\n').trim()}\n`);
  }
  return Buffer.from(parts.join(`\n${'-'.repeat(80)}\n\n`));
}

async function main() {
  const files = await buildFiles();
  let compressed = 0;
  for (const [name, bytes] of [...files].sort()) {
    const size = gzipSync(bytes, { level: 9 }).length;
    if (name !== 'licenses.txt') compressed += size;
    console.log(`${name.padEnd(12)} ${String(bytes.length).padStart(7)} bytes, ${String(size).padStart(7)} compressed`);
  }
  console.log(`first load   ${compressed} bytes compressed`);
  if (process.argv.includes('--check')) {
    const there = await readdir(dist).catch(() => []);
    const wrong = [];
    for (const name of new Set([...there, ...files.keys()])) {
      const old = await readFile(new URL(name, dist)).catch(() => null);
      if (!old || !files.has(name) || !old.equals(files.get(name))) wrong.push(name);
    }
    if (wrong.length > 0) {
      console.error(`web/dist is not what the sources give (${wrong.join(', ')}): run "npm ci && npm run build" in web/`);
      process.exit(1);
    }
    if (compressed > 150_000) {
      console.error('The first load is over 150 kB compressed.');
      process.exit(1);
    }
    return;
  }
  await rm(dist, { recursive: true, force: true });
  await mkdir(dist, { recursive: true });
  for (const [name, bytes] of files) await writeFile(new URL(name, dist), bytes);
}

await main();
