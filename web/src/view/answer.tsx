// One answer: reasoning, text, calls, how it ended, its figures, and what one can do with it.
import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { dollars, duration, percent, rate, count } from '../base/format';
import type { Message, Stats } from '../data/types';
import { CodeBlock, prettyJson } from '../markdown/code';
import { Markdown } from '../markdown/render';
import { ask, branch, goOn, running } from '../state/answering';
import { props } from '../state/server';
import { texts } from '../texts';
import { Branches, type Place } from './branches';
import { CodeDialog } from './code_dialog';
import { Compare } from './compare';
import { Editor } from './editor';
import { Icon } from './icons';
import { memo } from './memo';
import { announce, CopyButton, IconButton } from './parts';
import { Progress } from './progress';
import { SameAnswer } from './same_answer';
import { samePlace } from './said';
import { TokenView } from './token_view';
import { ToolCards } from './tool_cards';

/** How near an answer's speed came to what the machine allows one answer, where the server knows that. */
function limitShare(stats: Stats): number | null {
  if (stats.limitShare !== undefined) return stats.limitShare;
  const limit = props.value.limit_tokens_per_second;
  return limit && stats.tokensPerSecond > 0 ? stats.tokensPerSecond / limit : null;
}

function Figures({ message }: { message: Message }): VNode | null {
  const stats = message.stats;
  if (!stats) return null;
  const share = limitShare(stats);
  const figures = [
    texts.stats.tokens(stats.answerTokens),
    stats.tokensPerSecond > 0 && texts.stats.rate(rate(stats.tokensPerSecond)),
    share !== null && texts.stats.limit(percent(share)),
    stats.firstTokenMs > 0 && texts.stats.first(duration(stats.firstTokenMs)),
    stats.promptTokens > 0 && texts.stats.prompt(stats.promptTokens, stats.cachedTokens),
    stats.costDollars !== undefined && dollars(stats.costDollars),
  ].filter((figure) => typeof figure === 'string');
  return <ul class="figures" aria-label={texts.stats.label}>{figures.map((figure) => <li key={figure}>{figure}</li>)}</ul>;
}

function Ending({ message }: { message: Message }): VNode | null {
  const { status, problem } = message;
  const words = status === 'stopped' ? texts.log.stopped : status === 'length' ? texts.log.length : null;
  if (words) return <p class="ending">{words}</p>;
  if (status !== 'broken' && status !== 'failed') return message.edited ? <p class="ending">{texts.log.edited}</p> : null;
  return (
    <p class="ending problem" role="alert"><Icon name="warning" />
      <span><strong>{problem?.text ?? texts.log.broken}</strong> {problem?.advice}</span></p>
  );
}

function Reasoning({ message, streams }: { message: Message; streams: boolean }): VNode | null {
  if (!message.reasoning) return null;
  const now = streams && message.content === '';
  return (
    <details class="reasoning">
      <summary>{now ? texts.log.reasoningNow : texts.log.reasoning}</summary>
      <Markdown text={message.reasoning} growing={now} />
    </details>
  );
}

/** The text; one that is JSON as a whole is shown as such. */
function Said({ text, growing }: { text: string; growing: boolean }): VNode {
  const json = growing ? null : prettyJson(text);
  return json === null ? <Markdown text={text} growing={growing} /> : <CodeBlock language="json" text={json} />;
}

type Shown = 'text' | 'tokens' | 'edit';

function Actions({ message, place, shown, setShown, isLast }: {
  message: Message; place: Place; shown: Shown; setShown: (shown: Shown) => void; isLast: boolean;
}): VNode {
  const [dialog, setDialog] = useState<'compare' | 'code' | null>(null);
  const regenerate = (): void => {
    if (message.parent) void ask(message.conversation, message.parent);
  };
  const failed = message.status === 'failed' || message.status === 'broken';
  const canGoOn = isLast && message.content !== '' && (message.toolCalls ?? []).length === 0;
  return (
    <>
      <div class="actions" role="group" aria-label={texts.actions.label}>
        <Branches place={place} />
        {message.content !== '' && <CopyButton text={message.content} label={texts.actions.copy} />}
        {failed && message.content === ''
          ? <button type="button" class="plain-button" onClick={regenerate}><Icon name="again" />{texts.actions.retry}</button>
          : <IconButton icon="again" label={texts.actions.regenerate} onClick={regenerate} />}
        {canGoOn && (failed || message.status === 'stopped' || message.status === 'length'
          ? <button type="button" class="plain-button" onClick={() => void goOn(message)}><Icon name="forward" />{texts.actions.goOn}</button>
          : <IconButton icon="forward" label={texts.actions.goOn} onClick={() => void goOn(message)} />)}
        <IconButton icon="edit" label={texts.actions.edit} onClick={() => setShown('edit')} />
        <IconButton icon="tokens" label={texts.actions.tokens} pressed={shown === 'tokens'} onClick={() => setShown(shown === 'tokens' ? 'text' : 'tokens')} />
        <IconButton icon="columns" label={texts.actions.compare} onClick={() => setDialog('compare')} />
        {message.request && <IconButton icon="code" label={texts.actions.code} onClick={() => setDialog('code')} />}
        {message.request && message.status !== 'failed' && <SameAnswer message={message} />}
      </div>
      {dialog === 'compare' && <Compare message={message} onClose={() => setDialog(null)} />}
      {dialog === 'code' && <CodeDialog body={message.request!} onClose={() => setDialog(null)} />}
    </>
  );
}

/** Says to screen readers when an answer has come to its end: its own text is spoken by the log. */
function useEnding(message: Message, streams: boolean): void {
  const before = useRef(streams);
  useEffect(() => {
    if (before.current && !streams) {
      announce(message.status === 'done' ? texts.log.finished(message.stats?.answerTokens ?? 0) : texts.log.ended);
    }
    before.current = streams;
  }, [streams]);
}

function AnswerView({ message, place, isLast }: { message: Message; place: Place; isLast: boolean }): VNode {
  const [shown, setShown] = useState<Shown>('text');
  const streams = message.status === 'streaming';
  useEnding(message, streams);
  const save = (text: string): void => {
    setShown('text');
    void branch(message, text, [], false);
  };
  return (
    <article class="answer" aria-label={texts.log.answer} aria-busy={streams}>
      <Reasoning message={message} streams={streams} />
      {shown === 'edit' && <Editor text={message.content} saveLabel={texts.actions.editSave} onSave={save} onClose={() => setShown('text')} />}
      {shown === 'tokens' && <TokenView message={message} />}
      {shown === 'text' && message.content !== '' && <Said text={message.content} growing={streams} />}
      <ToolCards message={message} isLast={isLast} />
      {streams && <Progress entry={running.value.get(message.id)} begun={message.content !== '' || !!message.reasoning} />}
      <Ending message={message} />
      {!streams && shown !== 'edit' && (
        <footer>
          <Figures message={message} />
          <Actions message={message} place={place} shown={shown} setShown={setShown} isLast={isLast} />
        </footer>
      )}
      {streams && message.stats && <p class="figures live" aria-hidden="true">{count(message.stats.answerTokens)} · {texts.stats.rate(rate(message.stats.tokensPerSecond))}</p>}
    </article>
  );
}

export const Answer = memo(AnswerView, (a, b) =>
  a.message === b.message && a.isLast === b.isLast && samePlace(a.place, b.place));
