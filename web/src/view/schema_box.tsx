// The schema that answers follow, and a place to hold documents against it without the model.
import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import { Validator } from '@cfworker/json-schema';
import { parseAs } from '../api/request';
import { oneLine } from '../base/format';
import { changeConversation, current, path } from '../state/conversations';
import { texts } from '../texts';
import { Field } from './parts';

interface Verdict {
  good: boolean;
  text: string;
  details: string[];
}

/** Holds a document against a schema; both are text. */
export function judge(schemaText: string, documentText: string): Verdict {
  const bad = (text: string, error: unknown): Verdict => ({ good: false, text, details: [oneLine(String(error instanceof Error ? error.message : error), 200)] });
  let document: unknown;
  try {
    document = JSON.parse(documentText);
  } catch (error) {
    return bad(texts.settings.notJson, error);
  }
  try {
    const result = new Validator(JSON.parse(schemaText) as object, '2020-12', false).validate(document);
    if (result.valid) return { good: true, text: texts.settings.fits, details: [] };
    return { good: false, text: texts.settings.fitsNot, details: result.errors.slice(-5).map((e) => oneLine(`${e.instanceLocation}: ${e.error}`, 200)) };
  } catch (error) {
    return bad(texts.settings.badSchema, error);
  }
}

export function SchemaBox(): VNode {
  const conversation = current.value;
  const [document, setDocument] = useState('');
  const typed = conversation.schema.trim() !== '';
  const wrong = typed && !parseAs('object', conversation.schema);
  const verdict = typed && !wrong && document.trim() !== '' ? judge(conversation.schema, document) : null;
  const last = path.value.findLast((m) => m.role === 'assistant' && m.content !== '');
  return (
    <>
      <Field label={texts.settings.schema} help={wrong ? texts.settings.notObject : texts.settings.schemaHelp}>
        {(ids) => <textarea {...ids} rows={7} class="code-input" spellcheck={false} aria-invalid={wrong} value={conversation.schema}
          onInput={(e) => void changeConversation(conversation.id, { schema: e.currentTarget.value })} />}
      </Field>
      {typed && !wrong && (
        <>
          <Field label={texts.settings.tester} help={texts.settings.testerHelp}>
            {(ids) => <textarea {...ids} rows={4} class="code-input" spellcheck={false} value={document} onInput={(e) => setDocument(e.currentTarget.value)} />}
          </Field>
          {last && <p class="buttons"><button type="button" class="plain-button" onClick={() => setDocument(last.content)}>{texts.settings.takeAnswer}</button></p>}
          <div role="status">
            {verdict && <p class={verdict.good ? 'good' : 'warning'}>{verdict.text}</p>}
            {verdict && verdict.details.length > 0 && <ul class="details">{verdict.details.map((d) => <li key={d}>{d}</li>)}</ul>}
          </div>
        </>
      )}
    </>
  );
}
