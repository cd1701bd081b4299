// Text from outside: characters that turn or hide what stands around them are shown by their number.
import type { VNode } from 'preact';
import { codePoint, splitHidden } from '../base/format';

export function Text({ text }: { text: string }): VNode {
  const parts = splitHidden(text);
  if (parts.length === 1) return <>{text}</>;
  return <>{parts.map((part, i) => (i % 2 === 0 ? part : <span key={i} class="hidden-character">{codePoint(part)}</span>))}</>;
}
