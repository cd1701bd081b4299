// What stands where no message is yet: what this is, and things to try.
import type { VNode } from 'preact';
import { changeConversation, current } from '../state/conversations';
import { writeDraft } from '../state/drafts';
import { contextSize, model, models } from '../state/server';
import { examples, texts, type Example } from '../texts';
import { Icon } from './icons';

/** These jobs have one right answer: the likeliest token each time. */
function take(example: Example): void {
  void changeConversation(current.value.id, { system: example.system, tools: example.tools ?? '', schema: example.schema ?? '', settings: { temperature: 0, repetition_penalty: 1 } });
  writeDraft(current.value.id, example.message);
  setTimeout(() => document.getElementById('message')?.focus());
}

export function Empty(): VNode {
  return (
    <div class="empty">
      <h2>{texts.empty.heading}</h2>
      <p>{models.value.length > 0 && texts.empty.facts(model.value, contextSize.value ?? null)}</p>
      <ul class="examples" aria-label={texts.empty.examples}>
        {examples.map((example) => (
          <li key={example.title}>
            <button type="button" onClick={() => take(example)}>
              <Icon name={example.icon} />
              <strong>{example.title}</strong>
              <span>{example.message}</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
