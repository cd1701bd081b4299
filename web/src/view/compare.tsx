// Two versions of an answer beside each other: where they part is marked, and a further one can be asked for.
import type { VNode } from 'preact';
import { useId, useState } from 'preact/hooks';
import type { Message, Settings } from '../data/types';
import { childrenOf } from '../data/tree';
import { Text } from '../markdown/text';
import { ask } from '../state/answering';
import { current, messages, showBranch } from '../state/conversations';
import { defaultOf } from '../state/server';
import { texts } from '../texts';
import { Dialog } from './parts';

function wholeText(message: Message | undefined): string {
  if (!message) return '';
  return [message.content, ...(message.toolCalls ?? []).map((call) => `${call.name}(${call.arguments})`)].filter(Boolean).join('\n');
}

/** How many characters two texts share at their beginning, never half of a pair. */
export function sharedStart(a: string, b: string): number {
  let n = 0;
  while (n < a.length && n < b.length && a[n] === b[n]) n++;
  return n > 0 && /[\uD800-\uDBFF]/.test(a[n - 1]!) ? n - 1 : n;
}

function Column({ side, versions, chosen, onChoose, shared, onUse }: {
  side: string; versions: Message[]; chosen: Message | undefined; onChoose: (id: string) => void; shared: number; onUse: (message: Message) => void;
}): VNode {
  const text = wholeText(chosen);
  const first = /^\s*\S*/.exec(text.slice(shared))![0]; // the word at which they part
  const said = (value: unknown, otherwise: string): string => (typeof value === 'number' ? String(value) : otherwise);
  const describe = (message: Message, i: number): string => texts.compare.option(i + 1, said(message.request?.['seed'], '–'),
    said(message.request?.['temperature'] ?? defaultOf('temperature'), texts.compare.byDefault));
  return (
    <section class="compare-column" aria-label={texts.compare.pick(side)}>
      <select aria-label={texts.compare.pick(side)} value={chosen?.id ?? ''} onChange={(event) => onChoose(event.currentTarget.value)}>
        {versions.map((message, i) => <option key={message.id} value={message.id}>{describe(message, i)}</option>)}
      </select>
      <p class="compare-text" dir="auto" tabIndex={0} role="group" aria-label={texts.compare.text(side)}>
        <span class={shared < text.length ? 'shared' : ''}><Text text={text.slice(0, shared)} /></span>
        {first !== '' && <mark><Text text={first} /></mark>}<Text text={text.slice(shared + first.length)} />
      </p>
      {chosen && <button type="button" class="plain-button" onClick={() => onUse(chosen)}>{texts.compare.use}</button>}
    </section>
  );
}

const compared = ['seed', 'temperature', 'top_p', 'min_p'] as const;

/** Another answer with some settings changed; what is left empty stays as the conversation has it. */
function AskForm({ onAsk }: { onAsk: (settings: Settings) => void }): VNode {
  const id = useId();
  const [typed, setTyped] = useState<Partial<Record<(typeof compared)[number], string>>>({});
  const submit = (event: Event): void => {
    event.preventDefault();
    const settings: Settings = { ...current.value.settings };
    delete settings.seed;
    for (const name of compared) if (typed[name]) settings[name] = Number(typed[name]);
    onAsk(settings);
  };
  const hint = (name: (typeof compared)[number]): string =>
    name === 'seed' ? texts.compare.seedNew : String(current.value.settings[name] ?? defaultOf(name) ?? texts.compare.byDefault);
  return (
    <form class="compare-ask" onSubmit={submit}>
      <h3>{texts.compare.more}</h3>
      {compared.map((name) => (
        <span key={name} class="compare-field">
          <label for={`${id}-${name}`}>{texts.settings.fields[name]![0]}</label>
          <input id={`${id}-${name}`} type="number" min={0} step="any" placeholder={hint(name)} value={typed[name] ?? ''}
            onInput={(e) => setTyped({ ...typed, [name]: e.currentTarget.value })} />
        </span>
      ))}
      <button type="submit" class="main-button">{texts.compare.ask}</button>
    </form>
  );
}

export function Compare({ message, onClose }: { message: Message; onClose: () => void }): VNode {
  const versions = childrenOf(messages.value, message.parent).filter((m) => m.role === 'assistant');
  const [leftId, setLeft] = useState(message.id);
  const [rightId, setRight] = useState(versions.findLast((m) => m.id !== message.id)?.id ?? message.id);
  const left = versions.find((m) => m.id === leftId);
  const right = versions.find((m) => m.id === rightId);
  const [a, b] = [wholeText(left), wholeText(right)];
  const shared = sharedStart(a, b);
  const one = versions.length < 2;
  const more = (settings: Settings): void => {
    const known = new Set(versions.map((m) => m.id));
    void ask(message.conversation, message.parent!, { settings, shown: false });
    const fresh = [...messages.value.values()].find((m) => m.parent === message.parent && !known.has(m.id));
    if (fresh) setRight(fresh.id);
  };
  const use = (chosen: Message): void => {
    void showBranch(chosen);
    onClose();
  };
  return (
    <Dialog title={texts.compare.title} wide onClose={onClose}>
      <p class="help" role="status">{one ? texts.compare.one : a === b ? texts.compare.same : texts.compare.differs(shared)}</p>
      <div class={`compare${one ? ' one' : ''}`}>
        <Column side={texts.compare.left} versions={versions} chosen={left} onChoose={setLeft} shared={one ? a.length : shared} onUse={use} />
        {!one && <Column side={texts.compare.right} versions={versions} chosen={right} onChoose={setRight} shared={shared} onUse={use} />}
      </div>
      <AskForm onAsk={more} />
    </Dialog>
  );
}
