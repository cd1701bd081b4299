// Tool calls as cards. The person is the tool: results are typed or pasted, then the answer goes on.
import type { VNode } from 'preact';
import { useId, useState } from 'preact/hooks';
import type { Message, ToolCall } from '../data/types';
import { oneLine } from '../base/format';
import { CodeBlock, prettyJson } from '../markdown/code';
import { giveResults } from '../state/answering';
import { texts } from '../texts';
import { Icon } from './icons';

function Card({ call, open, result, onResult }: { call: ToolCall; open: boolean; result: string; onResult: (text: string) => void }): VNode {
  const id = useId();
  const name = oneLine(call.name, 64);
  return (
    <section class="tool-card" aria-label={texts.tools.name(name)}>
      <h2><Icon name="tool" /><span class="kind">{texts.tools.call}</span> <code>{name}</code></h2>
      {/^\s*(\{\s*\})?\s*$/.test(call.arguments)
        ? <p class="help">{texts.tools.noArguments}</p>
        : <CodeBlock language="json" text={prettyJson(call.arguments) ?? call.arguments} />}
      {open && (
        <div class="field">
          <label for={id}>{texts.tools.result(name)}</label>
          <textarea id={id} rows={2} dir="auto" placeholder={texts.tools.placeholder} value={result} onInput={(event) => onResult(event.currentTarget.value)} />
        </div>
      )}
    </section>
  );
}

export function ToolCards({ message, isLast }: { message: Message; isLast: boolean }): VNode | null {
  const calls = message.toolCalls ?? [];
  const [results, setResults] = useState<string[]>([]);
  if (calls.length === 0) return null;
  const open = isLast && message.status !== 'streaming';
  const submit = (event: Event): void => {
    event.preventDefault();
    void giveResults(message, calls.map((_, i) => results[i] ?? ''));
  };
  return (
    <form class="tool-cards" onSubmit={submit}>
      {calls.map((call, i) => (
        <Card key={i} call={call} open={open} result={results[i] ?? ''} onResult={(text) => setResults(Object.assign([...results], { [i]: text }))} />
      ))}
      {open && <p class="buttons"><button type="submit" class="main-button">{texts.tools.submit}</button></p>}
    </form>
  );
}
