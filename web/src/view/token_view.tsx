// Each token with its probability. Choosing one shows what else might have stood there; an alternative begins a branch.
import type { VNode } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { percent } from '../base/format';
import type { Message, TokenRecord } from '../data/types';
import { codePoint, splitHidden } from '../base/format';
import { branch } from '../state/answering';
import { texts } from '../texts';

/** A token as it is shown: spaces and ends of lines have to be seen. */
function visible(text: string): string {
  return splitHidden(text.replaceAll('\n', '↵').replaceAll('\t', '⇥')).map((part, i) => (i % 2 === 0 ? part : codePoint(part))).join('');
}

function spoken(text: string): string {
  return text.trim() === '' ? (text.includes('\n') ? texts.tokens.newline : texts.tokens.space) : visible(text);
}

/** Five steps of sureness, for colour. */
function step(logprob: number): number {
  const p = Math.exp(logprob);
  return p > 0.9 ? 0 : p > 0.6 ? 1 : p > 0.3 ? 2 : p > 0.1 ? 3 : 4;
}

/** Where a branch at token `at` begins, or null where the tokens are not the text itself. */
export function prefixAt(message: Message, at: number): string | null {
  const tokens = message.tokens ?? [];
  const before = message.content.slice(0, message.tokensFrom ?? 0);
  const prefix = before + tokens.slice(0, at).map((t) => t.text).join('');
  return message.content.startsWith(prefix) && !prefix.endsWith('\uFFFD') ? prefix : null;
}

function Alternatives({ message, at }: { message: Message; at: number }): VNode {
  const token = message.tokens![at]!;
  const prefix = prefixAt(message, at);
  const go = (other: { text: string; logprob: number }): void => {
    const chosen: TokenRecord = { text: other.text, logprob: other.logprob, alternatives: token.alternatives };
    void branch(message, prefix! + other.text, [...message.tokens!.slice(0, at), chosen], true);
  };
  const others = token.alternatives.some((other) => other.text === token.text) ? token.alternatives : [token, ...token.alternatives];
  return (
    <section class="alternatives" aria-label={texts.tokens.alternatives(spoken(token.text))}>
      <h2>{texts.tokens.alternatives('')}<code>{visible(token.text)}</code></h2>
      <ul>
        {others.map((other) => {
          const taken = other.text === token.text;
          const can = prefix !== null && !taken && !other.text.includes('\uFFFD');
          return (
            <li key={other.text} class={taken ? 'taken' : ''}>
              <button type="button" disabled={!can} onClick={() => go(other)}>
                {can && <span class="unseen">{texts.tokens.branch}</span>}
                <code>{visible(other.text).replace(/^ /, '␣')}</code>
                <svg viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true"><rect width={100 * Math.exp(other.logprob)} height="4" /></svg>
                <span>{percent(Math.exp(other.logprob))}</span>
                {taken && <small>{texts.tokens.taken}</small>}
              </button>
            </li>
          );
        })}
      </ul>
      {prefix === null && <p class="help">{texts.tokens.noBranch}</p>}
    </section>
  );
}

export function TokenView({ message }: { message: Message }): VNode {
  const tokens = message.tokens ?? [];
  const [at, setAt] = useState<number | null>(null);
  const box = useRef<HTMLDivElement>(null);
  if (tokens.length === 0) return <p class="help">{texts.tokens.none}</p>;
  const mean = Math.exp(tokens.reduce((sum, t) => sum + t.logprob, 0) / tokens.length);
  const onKey = (event: KeyboardEvent): void => {
    const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!move) return;
    event.preventDefault();
    const next = Math.min(tokens.length - 1, Math.max(0, (at ?? -1) + move));
    setAt(next);
    box.current?.querySelectorAll('button')[next]?.focus();
  };
  return (
    <div class="token-view">
      <p class="help">{texts.tokens.help} {texts.tokens.mean(percent(mean))}.
        <span class="legend" aria-hidden="true">{texts.tokens.sure}{[0, 1, 2, 3, 4].map((n) => <i key={n} class={`p${n}`} />)}{texts.tokens.unsure}</span></p>
      <div class="token-list" role="group" aria-label={texts.tokens.label} ref={box} onKeyDown={onKey}>
        {tokens.map((token, i) => (
          <>
            <button key={i} type="button" class={`token p${step(token.logprob)}`} aria-pressed={i === at} tabIndex={i === (at ?? 0) ? 0 : -1}
              aria-label={texts.tokens.token(spoken(token.text), percent(Math.exp(token.logprob)))} onClick={() => setAt(i === at ? null : i)}>{visible(token.text)}</button>
            {token.text.includes('\n') && <br />}
          </>
        ))}
      </div>
      {at !== null && tokens[at] && <Alternatives message={message} at={at} />}
    </div>
  );
}
