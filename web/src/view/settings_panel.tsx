// The panel of a conversation: prompt, sampling, format, tools, and what belongs to the browser.
import type { ComponentChildren, VNode } from 'preact';
import { useState } from 'preact/hooks';
import { apiKey } from '../api/client';
import { parseAs } from '../api/request';
import { rate, readTags } from '../base/format';
import type { Conversation, Settings } from '../data/types';
import { changeConversation, conversations, current } from '../state/conversations';
import { keepTokens, panelOpen, theme, type Theme } from '../state/preferences';
import { asksKey, chosenModel, contextSize, defaultOf, model, models, needsKey, props } from '../state/server';
import { exportOne } from '../state/transfer';
import { texts } from '../texts';
import { Field, IconButton } from './parts';
import { SchemaBox } from './schema_box';

function change(part: Partial<Conversation>): void {
  void changeConversation(current.value.id, part);
}

function changeSetting<K extends keyof Settings>(name: K, value: Settings[K] | undefined): void {
  const settings = { ...current.value.settings };
  if (value === undefined) delete settings[name];
  else settings[name] = value;
  change({ settings });
}

interface Range {
  min: number;
  max: number;
  step: number;
  slider: boolean;
}

const ranges: [keyof Settings, Range][] = [
  ['temperature', { min: 0, max: 2, step: 0.05, slider: true }],
  ['top_p', { min: 0, max: 1, step: 0.01, slider: true }],
  ['min_p', { min: 0, max: 1, step: 0.01, slider: true }],
  ['top_k', { min: 0, max: 1000, step: 1, slider: false }],
  ['repetition_penalty', { min: 0.5, max: 2, step: 0.01, slider: false }],
  ['presence_penalty', { min: -2, max: 2, step: 0.1, slider: false }],
  ['frequency_penalty', { min: -2, max: 2, step: 0.1, slider: false }],
  ['max_tokens', { min: 1, max: 1_000_000, step: 1, slider: false }],
  ['seed', { min: 0, max: 4_294_967_295, step: 1, slider: false }],
];

function NumberField({ name, range }: { name: keyof Settings; range: Range }): VNode {
  const [label, help] = texts.settings.fields[name]!;
  const value = current.value.settings[name] as number | undefined;
  const fallback = defaultOf(name);
  const hint = name === 'seed' ? texts.compare.seedNew : fallback === null ? texts.compare.byDefault : String(fallback);
  const set = (text: string): void => {
    const number = text === '' ? NaN : Number(text);
    changeSetting(name, Number.isFinite(number) ? Math.min(range.max, Math.max(range.min, number)) : undefined);
  };
  return (
    <div class="number-field">
      <label for={`set-${name}`} title={help}>{label}</label>
      <span class="number-inputs">
        {value !== undefined && <IconButton icon="close" label={texts.settings.reset(label)} onClick={() => changeSetting(name, undefined)} />}
        <input id={`set-${name}`} type="number" min={range.min} max={range.max} step="any" placeholder={hint}
          value={value ?? ''} aria-describedby={`set-${name}-help`} onChange={(e) => set(e.currentTarget.value)} />
      </span>
      {range.slider && (
        <input type="range" aria-label={texts.settings.slider(label)} min={range.min} max={range.max} step={range.step} class={value === undefined ? 'unset' : ''}
          value={value ?? fallback ?? range.max / 2} onInput={(e) => set(e.currentTarget.value)} />
      )}
      <span class="unseen" id={`set-${name}-help`}>{help}</span>
    </div>
  );
}

function Part({ title, open = false, children }: { title: string; open?: boolean; children: ComponentChildren }): VNode {
  return <details class="part" open={open}><summary><h3>{title}</h3></summary><div>{children}</div></details>;
}

function Sampling(): VNode {
  const settings = current.value.settings;
  const [extra, setExtra] = useState(settings.extra ?? '');
  return (
    <Part title={texts.settings.sampling} open>
      <p class="help">{texts.settings.samplingHelp}</p>
      {ranges.map(([name, range]) => <NumberField key={name} name={name} range={range} />)}
      <Field label={texts.settings.stops} help={texts.settings.stopsHelp}>
        {(ids) => <textarea {...ids} rows={2} value={(settings.stop ?? []).join('\n')} onChange={(e) => {
          const list = e.currentTarget.value.split('\n').filter((line) => line !== '').slice(0, 16);
          changeSetting('stop', list.length > 0 ? list : undefined);
        }} />}
      </Field>
      <Field label={texts.settings.extra} help={extra.trim() !== '' && !parseAs('object', extra) ? texts.settings.notObject : texts.settings.extraHelp}>
        {(ids) => <textarea {...ids} rows={2} class="code-input" spellcheck={false} value={extra} onInput={(e) => {
          setExtra(e.currentTarget.value);
          changeSetting('extra', e.currentTarget.value.trim() === '' ? undefined : e.currentTarget.value);
        }} />}
      </Field>
      <label class="check"><input type="checkbox" checked={keepTokens.value} onChange={(e) => (keepTokens.value = e.currentTarget.checked)} />{texts.settings.record}</label>
    </Part>
  );
}

function Looks(): VNode {
  return (
    <Part title={texts.settings.looks}>
      <Field label={texts.settings.theme}>
        {(ids) => <select {...ids} value={theme.value} onChange={(e) => (theme.value = e.currentTarget.value as Theme)}>
          {(Object.entries(texts.settings.themes) as [Theme, string][]).map(([name, text]) => <option key={name} value={name}>{text}</option>)}
        </select>}
      </Field>
    </Part>
  );
}

/** What the server says of itself, and the key where it wants one. */
function Server(): VNode {
  const names = texts.settings.facts;
  const { build_info: version, system_fingerprint: fingerprint, limit_tokens_per_second: limit } = props.value;
  const facts = [
    [names.model, model.value],
    [names.version, version],
    [names.fingerprint, fingerprint],
    [names.context, contextSize.value && texts.stats.tokens(contextSize.value)],
    [names.limit, limit ? texts.stats.rate(rate(limit)) : names.limitUnknown],
  ].filter(([, value]) => value);
  return (
    <Part title={texts.settings.server}>
      <dl class="facts">{facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}</dl>
      {(needsKey.value || apiKey.value !== '') && (
        <p class="buttons"><button type="button" class="plain-button" onClick={() => (asksKey.value = true)}>{texts.settings.changeKey}</button></p>
      )}
    </Part>
  );
}

export function SettingsPanel(): VNode {
  const conversation = current.value;
  const kept = conversations.value.some((c) => c.id === conversation.id);
  const toolsWrong = conversation.tools.trim() !== '' && !parseAs('array', conversation.tools);
  return (
    <aside class="panel" aria-label={texts.settings.title} key={conversation.id}>
      <header><h2>{texts.settings.title}</h2><IconButton icon="close" label={texts.settings.hide} onClick={() => (panelOpen.value = false)} /></header>
      <div class="panel-body">
        {models.value.length > 1 && (
          <Field label={texts.settings.model}>
            {(ids) => <select {...ids} value={model.value} onChange={(e) => (chosenModel.value = e.currentTarget.value)}>
              {models.value.map((name) => <option key={name}>{name}</option>)}
            </select>}
          </Field>
        )}
        <Field label={texts.settings.system} help={texts.settings.systemHelp}>
          {(ids) => <textarea {...ids} rows={4} dir="auto" value={conversation.system} onInput={(e) => change({ system: e.currentTarget.value })} />}
        </Field>
        <Sampling />
        <Part title={texts.settings.format} open={conversation.schema !== ''}><SchemaBox /></Part>
        <Part title={texts.settings.tools} open={conversation.tools !== ''}>
          <Field label={texts.settings.toolsBox} help={toolsWrong ? texts.settings.notArray : texts.settings.toolsHelp}>
            {(ids) => <textarea {...ids} rows={8} class="code-input" spellcheck={false} aria-invalid={toolsWrong} value={conversation.tools} onInput={(e) => change({ tools: e.currentTarget.value })} />}
          </Field>
        </Part>
        <Looks />
        <Part title={texts.settings.data}>
          <Field label={texts.settings.tags} help={texts.settings.tagsHelp}>
            {(ids) => <input {...ids} type="text" value={conversation.tags.join(', ')} onChange={(e) => change({ tags: readTags(e.currentTarget.value) })} />}
          </Field>
          <p class="buttons">
            <button type="button" class="plain-button" disabled={!kept} onClick={() => void exportOne(conversation, 'json')}>{texts.settings.exportJson}</button>
            <button type="button" class="plain-button" disabled={!kept} onClick={() => void exportOne(conversation, 'md')}>{texts.settings.exportMarkdown}</button>
          </p>
        </Part>
        <Server />
      </div>
    </aside>
  );
}
