// Markdown into blocks. markdown-it reads it, HTML is off, and what it gives (a list of tokens) becomes elements in
// render.tsx: at no time is there a string of HTML.
import MarkdownIt from 'markdown-it';

export type Token = ReturnType<InstanceType<typeof MarkdownIt>['parse']>[number];

let reader: InstanceType<typeof MarkdownIt> | undefined; // made for the first text: it takes a while

function makeReader(): InstanceType<typeof MarkdownIt> {
  const made = new MarkdownIt('default', { html: false, linkify: false, typographer: false, maxNesting: 40 });
  // Every address is kept as text; render.tsx decides what becomes a link.
  made.validateLink = () => true;
  made.normalizeLink = (url: string) => url;
  made.normalizeLinkText = (text: string) => text;
  return made;
}

const maxChars = 200_000; // longer texts are shown as they are

/** Headings of an answer stand below the page's own (level 1) and leave no level out, whatever the text says. */
function levelHeadings(tokens: Token[]): void {
  const opens = tokens.filter((token) => token.type === 'heading_open');
  const top = Math.min(...opens.map((token) => Number(token.tag[1])));
  let last = 1;
  for (const token of tokens) {
    if (token.type === 'heading_open') last = Math.min(last + 1, 2 + Number(token.tag[1]) - top, 6);
    if (token.type === 'heading_open' || token.type === 'heading_close') token.tag = `h${last}`;
  }
}

/** One block at the top level: its tokens, and the source that it was read from (equal sources look equal). */
export interface Block {
  source: string;
  tokens: Token[];
}

/** The blocks of a text, or null where it is too long to be formatted. */
export function readBlocks(text: string): Block[] | null {
  if (text.length > maxChars) return null;
  const lines = text.split('\n');
  const env = {};
  reader ??= makeReader();
  const tokens = reader.parse(text, env);
  levelHeadings(tokens);
  const references = Object.keys((env as { references?: object }).references ?? {}).length;
  const blocks: Block[] = [];
  let begin = 0;
  let depth = 0;
  tokens.forEach((token, i) => {
    depth += token.nesting;
    if (depth !== 0 || token.nesting === 1) return;
    const part = tokens.slice(begin, i + 1);
    const [from, to] = part[0]!.map ?? [0, 0];
    blocks.push({ source: `${references}:${part[0]!.tag}:${lines.slice(from, to).join('\n')}`, tokens: part });
    begin = i + 1;
  });
  return blocks;
}

/** An address that may become a link, or null: http, https and mailto only, nothing else is ever followed. */
export function safeLink(address: string): URL | null {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    return null;
  }
  return ['http:', 'https:', 'mailto:'].includes(url.protocol) ? url : null;
}
