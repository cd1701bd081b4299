// A block of code: coloured where its language is known, with a button that copies it.
import type { VNode } from 'preact';
import { useMemo } from 'preact/hooks';
import type { RootContent } from 'hast';
import { CopyButton } from '../view/parts';
import { texts } from '../texts';
import { highlight } from './highlight';
import { Text } from './text';

/** JSON on several lines, or null where a text is not an object or a list of JSON. */
export function prettyJson(text: string): string | null {
  if (!/^\s*[{[]/.test(text) || text.length > 100_000) return null;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return null;
  }
}

function coloured(nodes: RootContent[]): (VNode | null)[] {
  return nodes.map((node, i) => {
    if (node.type === 'text') return <Text key={i} text={node.value} />;
    if (node.type !== 'element') return null;
    return <span key={i} class={(node.properties['className'])?.join(' ') ?? ''}>{coloured(node.children)}</span>;
  });
}

/** colour is false while the text still grows. */
export function CodeBlock({ language, text, colour = true }: { language: string; text: string; colour?: boolean }): VNode {
  const tree = useMemo(() => (colour ? highlight(language.toLowerCase(), text) : null), [language, text, colour]);
  return (
    <figure class="code">
      <figcaption>
        <span>{language || texts.code.plain}</span>
        <CopyButton text={text} label={texts.code.copy} />
      </figcaption>
      <pre tabIndex={0} aria-label={texts.code.label(language)} role="group"><code>{tree ? coloured(tree.children) : <Text text={text} />}</code></pre>
    </figure>
  );
}
