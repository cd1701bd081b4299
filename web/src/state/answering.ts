// Asking the model: one answer streams into one message. Stopping, going on, asking again and repeating are here.
import { signal } from '@preact/signals';
import { newId, newSeed, tabId } from '../base/ids';
import { chatBody } from '../api/request';
import { streamChat } from '../api/client';
import { gone, RequestError } from '../api/problem';
import type { Message, Settings, TokenRecord } from '../data/types';
import { pathTo } from '../data/tree';
import { AnswerReader } from './answer_reader';
import { addMessage, conversations, current, draft, messages, updateMessage } from './conversations';
import { keepTokens } from './preferences';
import { holdLock } from './tabs';
import { asksKey, model, needsKey, refreshServer, serverProblem } from './server';

const retries = 8; // while the server is busy or loads its model

/** The answers that this tab waits for, by message. */
export const running = signal<ReadonlyMap<string, Running>>(new Map());

export interface Running {
  controller: AbortController;
  conversation: string;
  progress: { total: number; cached: number; read: number } | null; // of reading the prompt
  waitingMs: number | null; // until the next try, where the server is busy
}

function setRunning(id: string, change: Partial<Running> | null): void {
  const next = new Map(running.value);
  const old = next.get(id);
  if (change === null) next.delete(id);
  else if (old) next.set(id, { ...old, ...change });
  else next.set(id, change as Running);
  running.value = next;
}

export function stop(conversation: string): void {
  for (const entry of running.value.values()) if (entry.conversation === conversation) entry.controller.abort();
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(new DOMException('stopped', 'AbortError'));
    });
  });
}

/** Streams until the end, waiting and trying again while the server is busy. */
async function streamPatiently(id: string, body: unknown, controller: AbortController, reader: AnswerReader): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      reader.begin();
      return await streamChat(body, controller.signal, (chunk) => reader.add(chunk));
    } catch (error) {
      if (!(error instanceof RequestError) || error.retryAfterMs === undefined || tries >= retries || reader.hasText) throw error;
      setRunning(id, { waitingMs: error.retryAfterMs });
      await sleep(error.retryAfterMs, controller.signal);
      setRunning(id, { waitingMs: null });
    }
  }
}

/** How an answer that did not come to its end is kept. */
function afterFailure(message: Message, error: unknown): Message {
  if (error instanceof DOMException && error.name === 'AbortError') return { ...message, status: 'stopped' };
  const { problem } = error instanceof RequestError ? error : gone();
  if (problem.kind === 'key') {
    needsKey.value = true;
    asksKey.value = true;
  }
  if (problem.kind === 'gone' || problem.kind === 'starting') {
    serverProblem.value = problem;
    setTimeout(() => void refreshServer(), 2000);
  }
  const hasText = message.content !== '' || (message.reasoning ?? '') !== '' || (message.toolCalls ?? []).length > 0;
  return { ...message, status: hasText ? 'broken' : 'failed', problem };
}

/** Runs one request into a message that is already shown. */
async function run(start: Message, body: Record<string, unknown>): Promise<Message> {
  const controller = new AbortController();
  const release = holdLock(start.id);
  setRunning(start.id, { controller, conversation: start.conversation, progress: null, waitingMs: null });
  const reader = new AnswerReader(start);
  let written = 0;
  let painted = false;
  const paint = (): void => {
    painted = false;
    if (controller.signal.aborted || !running.value.has(start.id)) return;
    setRunning(start.id, { progress: reader.progress });
    const write = Date.now() - written > 500;
    if (write) written = Date.now();
    void updateMessage({ ...reader.message(), status: 'streaming', tab: tabId, beat: Date.now() }, write);
  };
  reader.onChange = () => {
    if (painted) return;
    painted = true;
    if (document.hidden) setTimeout(paint, 250);
    else requestAnimationFrame(paint);
  };
  let end: Message;
  try {
    await streamPatiently(start.id, body, controller, reader);
    end = reader.finished();
  } catch (error) {
    end = afterFailure(reader.message(), error);
  }
  setRunning(start.id, null);
  delete end.tab;
  delete end.beat;
  await updateMessage(end, true);
  release();
  return end;
}

function conversationOf(id: string) {
  return conversations.value.find((c) => c.id === id) ?? draft.value;
}

export interface AskOptions {
  settings?: Settings; // instead of the conversation's
  shown?: boolean; // false: a sibling beside what is shown
}

/** Asks for an answer to the message named (null is not possible: somebody must have said something). */
export async function ask(conversationId: string, parent: string, options: AskOptions = {}): Promise<Message> {
  const conversation = conversationOf(conversationId);
  const settings = options.settings ?? conversation.settings;
  const seed = settings.seed ?? newSeed();
  const body = chatBody({ ...conversation, settings }, pathTo(messages.value, parent), {
    model: model.value, seed, tokens: keepTokens.value, continued: false,
  });
  const message: Message = {
    id: newId(), conversation: conversationId, parent, created: Date.now(), role: 'assistant', content: '',
    status: 'streaming', tab: tabId, beat: Date.now(), request: body,
  };
  await addMessage(message, options.shown ?? true);
  return run(message, body);
}

/** Says something and asks for the answer. */
export async function say(content: string, files: Message['files'], parent: string | null): Promise<void> {
  const conversation = current.value;
  const message: Message = { id: newId(), conversation: conversation.id, parent, created: Date.now(), role: 'user', content };
  if (files && files.length > 0) message.files = files;
  await addMessage(message);
  await ask(conversation.id, message.id);
}

/** Hands over the results of an answer's calls, in order, and asks on. */
export async function giveResults(answer: Message, results: string[]): Promise<void> {
  let parent = answer.id;
  for (const [i, call] of (answer.toolCalls ?? []).entries()) {
    const message: Message = {
      id: newId(), conversation: answer.conversation, parent, created: Date.now() + i, role: 'tool',
      content: results[i] ?? '', toolCallId: call.id, toolName: call.name,
    };
    await addMessage(message);
    parent = message.id;
  }
  await ask(answer.conversation, parent);
}

/** Goes on with an answer that was stopped, broke off or reached its limit; also with one that is edited. */
export async function goOn(answer: Message): Promise<void> {
  const conversation = conversationOf(answer.conversation);
  const seed = conversation.settings.seed ?? newSeed();
  const body = chatBody(conversation, pathTo(messages.value, answer.id), {
    model: model.value, seed, tokens: keepTokens.value, continued: true,
  });
  const { problem: _problem, repetition: _repetition, ...rest } = answer;
  const message: Message = { ...rest, status: 'streaming', tab: tabId, beat: Date.now(), request: body, requestFrom: answer.content.length };
  if (!message.tokens || message.tokens.length === 0) message.tokensFrom = answer.content.length;
  await updateMessage(message, true);
  await run(message, body);
}

/** A sibling of an answer that begins with the given text, and goes on from it if asked. */
export async function branch(answer: Message, content: string, tokens: TokenRecord[], further: boolean): Promise<void> {
  const message: Message = {
    id: newId(), conversation: answer.conversation, parent: answer.parent, created: Date.now(), role: 'assistant',
    content, status: 'done', edited: true,
  };
  if (tokens.length > 0) Object.assign(message, { tokens, tokensFrom: answer.tokensFrom ?? 0 });
  if (answer.model) message.model = answer.model;
  await addMessage(message);
  if (further) await goOn(message);
}

/** Sends an answer's own request again and says whether the same comes back. */
export async function repeat(answer: Message, onProgress: (tokens: number) => void, signal: AbortSignal): Promise<void> {
  const before = answer.content.slice(0, answer.requestFrom ?? 0);
  const reader = new AnswerReader({ ...answer, content: before, reasoning: '', toolCalls: [], tokens: [] });
  reader.onChange = () => onProgress(reader.pieces);
  reader.begin();
  await streamChat(answer.request, signal, (chunk) => reader.add(chunk));
  const again = reader.finished();
  const calls = (m: Message): string => JSON.stringify((m.toolCalls ?? []).map((c) => [c.name, c.arguments]));
  const same = again.content === answer.content && (again.reasoning ?? '') === (answer.reasoning ?? '') && calls(again) === calls(answer);
  const tokens = answer.tokens ?? [];
  const fresh = again.tokens ?? [];
  const offset = answer.requestFrom ? Math.max(0, tokens.length - fresh.length) : 0;
  let at = 0;
  while (at < fresh.length && fresh[at]!.text === tokens[at + offset]?.text) at++;
  await updateMessage(
    { ...(messages.value.get(answer.id) ?? answer), repetition: { same, atToken: at, fingerprint: again.fingerprint ?? '', when: Date.now() } }, true);
}
