// Markdown as elements. Links wait for a click and lead out of the page; pictures are never fetched.
import type { ComponentChild, VNode } from 'preact';
import { memo } from '../view/memo';
import { oneLine } from '../base/format';
import { texts } from '../texts';
import { CodeBlock } from './code';
import { readBlocks, safeLink, type Block, type Token } from './parse';
import { Text } from './text';

interface Frame {
  token: Token | null;
  children: ComponentChild[];
}

// Elements stand in each other as deep as this; what is deeper keeps its text and loses its form. The browser and the
// renderer go down by recursion, and emphasis alone nests as deep as a text is long.
const maxDepth = 40;

const plainTags = new Set(['p', 'blockquote', 'ul', 'li', 'em', 'strong', 's', 'thead', 'tbody', 'tr']);

function link(address: string, children: ComponentChild[]): VNode {
  const url = safeLink(address);
  if (!url) return <span class="dead-link" title={texts.markdown.deadLink}>{children}</span>;
  return <a href={url.href} target="_blank" rel="noopener noreferrer nofollow" title={oneLine(url.href, 300)}>{children}</a>;
}

function picture(token: Token): VNode {
  const address = String(token.attrGet('src') ?? '');
  const name = <Text text={oneLine(token.content, 200) || texts.markdown.picture} />;
  const url = safeLink(address);
  const where = url ? texts.markdown.pictureOf(url.host) : texts.markdown.noPicture;
  return <span class="picture">{url ? link(address, [name]) : name} <small>{where}</small></span>;
}

/** An element from its closing token. Unknown ones give their children alone. */
function close({ token, children }: Frame, key: number): ComponentChild {
  const tag = token!.tag;
  if (tag === 'a') return link(String(token!.attrGet('href') ?? ''), children);
  if (/^h[1-6]$/.test(tag)) {
    const Tag = tag as 'h3';
    return <Tag key={key} dir="auto">{children}</Tag>;
  }
  if (tag === 'ol') return <ol key={key} start={Number(token!.attrGet('start') ?? 1)}>{children}</ol>;
  if (tag === 'table') return <div key={key} class="table" tabIndex={0} role="region" aria-label={texts.markdown.table}><table>{children}</table></div>;
  if (tag === 'th' || tag === 'td') {
    const Tag = tag as 'td';
    const side = /text-align:(\w+)/.exec(String(token!.attrGet('style') ?? ''))?.[1];
    return <Tag key={key} dir="auto" class={side ? `to-${side}` : ''}>{children}</Tag>;
  }
  if (tag === 'p' && token!.hidden) return children;
  if (plainTags.has(tag)) {
    const Tag = tag as 'p';
    return <Tag key={key} dir={tag === 'p' || tag === 'li' ? 'auto' : undefined}>{children}</Tag>;
  }
  return children;
}

function leaf(token: Token, key: number, colour: boolean): ComponentChild {
  switch (token.type) {
    case 'text':
    case 'text_special':
    case 'html_block':
    case 'html_inline':
      return <Text key={key} text={token.content} />;
    case 'softbreak':
      return '\n';
    case 'hardbreak':
      return <br key={key} />;
    case 'hr':
      return <hr key={key} />;
    case 'code_inline':
      return <code key={key}><Text text={token.content} /></code>;
    case 'image':
      return picture(token);
    case 'fence':
    case 'code_block':
      return <CodeBlock key={key} language={oneLine(token.info.split(/\s/)[0] ?? '', 24)} text={token.content.replace(/\n$/, '')} colour={colour} />;
    default:
      return null;
  }
}

function elements(tokens: Token[], colour: boolean): ComponentChild[] {
  const stack: Frame[] = [{ token: null, children: [] }];
  tokens.forEach((token, key) => {
    const top = stack.at(-1)!;
    if (token.nesting === 1) {
      stack.push(stack.length > maxDepth ? top : { token, children: [] });
    } else if (token.nesting === -1) {
      if (stack.length === 1) return;
      stack.pop();
      if (stack.at(-1) !== top) stack.at(-1)!.children.push(close(top, key));
    } else if (token.type === 'inline') {
      top.children.push(...elements(token.children ?? [], colour));
    } else {
      top.children.push(leaf(token, key, colour));
    }
  });
  return [...new Set(stack)].flatMap((frame) => frame.children);
}

const BlockView = memo(
  ({ block, colour }: { block: Block; colour: boolean }) => <>{elements(block.tokens, colour)}</>,
  (a, b) => a.block.source === b.block.source && a.colour === b.colour,
);

/** growing: the text still streams, so its last block is not coloured yet. */
export function Markdown({ text, growing = false }: { text: string; growing?: boolean }): VNode {
  const blocks = readBlocks(text);
  if (!blocks) return <div class="prose plain"><Text text={text} /></div>;
  return (
    <div class="prose">
      {blocks.map((block, i) => <BlockView key={i} block={block} colour={!growing || i < blocks.length - 1} />)}
    </div>
  );
}
