// Exports and imports. An import is foreign: every member is checked, every identifier is made anew.
import { newId } from '../base/ids';
import { oneLine } from '../base/format';
import { texts } from '../texts';
import { childrenOf } from './tree';
import type { AttachedFile, Conversation, Message, Settings, Stats, TokenRecord, ToolCall } from './types';

export interface Entry {
  conversation: Conversation;
  messages: Message[];
}

/** An import's failure: its message is the reason, in words. */
export class ImportError extends Error {}

const format = 'lfm-conversations';

export function toJson(entries: Entry[]): string {
  return JSON.stringify({ format, version: 1, exported: new Date().toISOString(), entries }, null, 1);
}

type Loose = Record<string, unknown>;

const isObject = (value: unknown): value is Loose => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Reads members of one object; a wrong type is an error that names the place. */
class Members {
  constructor(private readonly from: Loose, private readonly where: string) {}

  fail(name: string): never {
    throw new ImportError(texts.transfer.damaged(`${this.where}.${name}`));
  }
  text(name: string): string {
    const value = this.from[name];
    return typeof value === 'string' ? value : this.fail(name);
  }
  textOr(name: string, fallback: string): string {
    return this.from[name] === undefined ? fallback : this.text(name);
  }
  number(name: string): number {
    const value = this.from[name];
    return typeof value === 'number' && Number.isFinite(value) ? value : this.fail(name);
  }
  list<T>(name: string, read: (members: Members, raw: unknown) => T): T[] | undefined {
    const value = this.from[name];
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) return this.fail(name);
    return value.map((item: unknown, i) => read(new Members(isObject(item) ? item : {}, `${this.where}.${name}[${i}]`), item));
  }
  object(name: string): Loose | undefined {
    const value = this.from[name];
    if (value === undefined) return undefined;
    return isObject(value) ? value : this.fail(name);
  }
}

const settingNames = ['temperature', 'top_p', 'top_k', 'min_p', 'repetition_penalty', 'presence_penalty', 'frequency_penalty', 'max_tokens', 'seed'] as const;
const statNames = ['promptTokens', 'cachedTokens', 'answerTokens', 'firstTokenMs', 'tokensPerSecond', 'totalMs'] as const;
const statuses = ['done', 'stopped', 'length', 'broken', 'failed', 'streaming'] as const;

function readSettings(from: Loose, where: string): Settings {
  const members = new Members(from, where);
  const settings: Settings = {};
  for (const name of settingNames) if (from[name] !== undefined) settings[name] = members.number(name);
  const stop = members.list('stop', (m, raw) => (typeof raw === 'string' ? raw : m.fail('text')));
  if (stop) settings.stop = stop.slice(0, 16);
  if (from['extra'] !== undefined) settings.extra = members.text('extra');
  return settings;
}

function readStats(from: Loose, where: string): Stats {
  const members = new Members(from, where);
  const stats = Object.fromEntries(statNames.map((name) => [name, members.number(name)])) as unknown as Stats;
  if (from['costDollars'] !== undefined) stats.costDollars = members.number('costDollars');
  if (from['limitShare'] !== undefined) stats.limitShare = members.number('limitShare');
  return stats;
}

const readFile = (m: Members): AttachedFile => ({ name: oneLine(m.text('name'), 80), text: m.text('text') });
const readCall = (m: Members): ToolCall => ({ id: m.text('id'), name: m.text('name'), arguments: m.text('arguments') });
const readToken = (m: Members): TokenRecord => ({
  text: m.text('text'),
  logprob: m.number('logprob'),
  alternatives: m.list('alternatives', (a) => ({ text: a.text('text'), logprob: a.number('logprob') })) ?? [],
});

function readMessage(from: Loose, where: string, conversation: string, ids: Map<string, string>): Message {
  const m = new Members(from, where);
  const role = m.text('role');
  if (role !== 'user' && role !== 'assistant' && role !== 'tool') return m.fail('role');
  const parent = from['parent'] === null ? null : (ids.get(m.text('parent')) ?? null);
  const message: Message = { id: ids.get(m.text('id'))!, conversation, parent, created: m.number('created'), role, content: m.text('content') };
  const files = m.list('files', readFile);
  if (files) message.files = files;
  const calls = m.list('toolCalls', readCall);
  if (calls) message.toolCalls = calls;
  const tokens = m.list('tokens', readToken);
  if (tokens) message.tokens = tokens;
  for (const name of ['reasoning', 'toolCallId', 'toolName', 'fingerprint', 'model'] as const) {
    if (from[name] !== undefined) message[name] = m.text(name);
  }
  for (const name of ['tokensFrom', 'requestFrom'] as const) if (from[name] !== undefined) message[name] = m.number(name);
  const status = from['status'] === undefined ? undefined : statuses.find((s) => s === from['status']);
  if (status) message.status = status === 'streaming' ? 'broken' : status;
  if (from['edited'] === true) message.edited = true;
  const request = m.object('request');
  if (request) message.request = request;
  const stats = m.object('stats');
  if (stats) message.stats = readStats(stats, `${where}.stats`);
  return message;
}

/** Follows parents upwards: a ring is an error (one walk over all of them, each visited once). */
function refuseRings(messages: Message[]): void {
  const byId = new Map(messages.map((m) => [m.id, m]));
  const fine = new Set<string>();
  for (const start of messages) {
    const walk = new Set<string>();
    for (let m: Message | undefined = start; m && !fine.has(m.id); m = m.parent === null ? undefined : byId.get(m.parent)) {
      if (walk.has(m.id)) throw new ImportError(texts.transfer.damaged('parent'));
      walk.add(m.id);
    }
    for (const id of walk) fine.add(id);
  }
}

function readEntry(raw: unknown, where: string): Entry {
  const entry = new Members(isObject(raw) ? raw : {}, where);
  const from = entry.object('conversation') ?? entry.fail('conversation');
  const c = new Members(from, `${where}.conversation`);
  const id = newId();
  const ids = new Map<string, string>();
  entry.list('messages', (m) => ids.set(m.text('id'), newId()));
  const messages = entry.list('messages', (_, item) => item)?.map((item, i) =>
    readMessage(isObject(item) ? item : {}, `${where}.messages[${i}]`, id, ids)) ?? entry.fail('messages');
  refuseRings(messages);
  const conversation: Conversation = {
    id,
    title: oneLine(c.text('title')) || texts.untitled,
    titleGiven: true,
    tags: (c.list('tags', (m, tag) => (typeof tag === 'string' ? oneLine(tag, 30) : m.fail('tag'))) ?? []).slice(0, 12),
    created: c.number('created'),
    updated: c.number('updated'),
    leaf: typeof from['leaf'] === 'string' ? (ids.get(from['leaf']) ?? null) : null,
    system: c.textOr('system', ''),
    tools: c.textOr('tools', ''),
    schema: c.textOr('schema', ''),
    settings: readSettings(c.object('settings') ?? {}, `${where}.conversation.settings`),
  };
  conversation.leaf ??= childrenOf(new Map(messages.map((m) => [m.id, m])), null)[0]?.id ?? null;
  return { conversation, messages };
}

/** The conversations of an export. Throws ImportError. */
export function fromJson(text: string): Entry[] {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw new ImportError(texts.transfer.notJson);
  }
  if (!isObject(document) || document['format'] !== format || !Array.isArray(document['entries'])) throw new ImportError(texts.transfer.notOurs);
  return document['entries'].map((entry, i) => readEntry(entry, `entries[${i}]`));
}
