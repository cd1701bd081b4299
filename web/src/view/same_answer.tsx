// The badge of the seed: the same request gives the same answer, and a click proves it.
import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Message } from '../data/types';
import { oneLine } from '../base/format';
import { RequestError } from '../api/problem';
import { repeat } from '../state/answering';
import { texts } from '../texts';
import { Icon } from './icons';
import { announce } from './parts';

export function SameAnswer({ message }: { message: Message }): VNode {
  const [pieces, setPieces] = useState<number | null>(null);
  const [problem, setProblem] = useState('');
  const controller = useRef<AbortController | null>(null);
  useEffect(() => () => controller.current?.abort(), []);
  const run = async (): Promise<void> => {
    controller.current = new AbortController();
    setProblem('');
    setPieces(0);
    try {
      await repeat(message, setPieces, controller.current.signal);
    } catch (error) {
      if (!(error instanceof DOMException)) setProblem(error instanceof RequestError ? error.problem.text : texts.same.failed);
    }
    setPieces(null);
  };
  const last = message.repetition;
  const other = last && message.fingerprint && last.fingerprint !== message.fingerprint ? ` ${texts.same.otherServer}` : '';
  const verdict = !last ? '' : last.same ? texts.same.same : texts.same.differs(last.atToken) + other;
  useEffect(() => {
    if (pieces === null && verdict) announce(verdict);
  }, [pieces]);
  const whole = message.status === 'done' || message.status === 'length';
  return (
    <span class={`badge${last ? (last.same ? ' good' : ' bad') : ''}`} title={texts.same.title(message.fingerprint ?? '')}>
      {last?.same && <Icon name="check" />}
      <span>{pieces !== null ? texts.same.running(pieces) : problem || verdict || texts.same.badge(Number(message.request?.['seed']))}</span>
      {message.fingerprint && <code class="fingerprint" title={texts.same.fingerprint}>{oneLine(message.fingerprint, 24)}</code>}
      {whole && pieces === null && <button type="button" class="link-button" onClick={() => void run()}>{texts.actions.repeat}</button>}
    </span>
  );
}
