// The conversations in memory, and the way of every change to the database.
import { batch, computed, signal } from '@preact/signals';
import { newId, tabId } from '../base/ids';
import { oneLine } from '../base/format';
import * as database from '../data/database';
import { childrenByParent, newestLeaf, pathTo } from '../data/tree';
import type { Conversation, Message } from '../data/types';
import { texts } from '../texts';
import { heldLocks, onTabs, tellTabs } from './tabs';

export const conversations = signal<Conversation[]>([]);
export const isLoaded = signal(false); // conversations are read from the database
export const isLasting = signal(true);
export const storageFull = signal(false); // the last change could not be kept
export const messages = signal<ReadonlyMap<string, Message>>(new Map()); // of the current conversation
export const draft = signal<Conversation>(newConversation()); // a new chat is kept from its first message on

const currentId = signal<string | null>(null);
export const current = computed(() => conversations.value.find((c) => c.id === currentId.value) ?? draft.value);
export const children = computed(() => childrenByParent(messages.value));
export const path = computed(() => pathTo(messages.value, current.value.leaf));

/** Messages that this tab is streaming: newer than the database. */
const live = new Map<string, Message>();
/** Conversations being deleted: nothing is written for them any more. */
const leaving = new Set<string>();

export function newConversation(): Conversation {
  const now = Date.now();
  return { id: newId(), title: texts.untitled, titleGiven: false, tags: [], created: now, updated: now, leaf: null, system: '', tools: '', schema: '', settings: {} };
}

/** Writes to the database. Where the browser refuses (its storage is full), what is shown stays and a notice says so. */
async function keep(changed: Conversation[], changedMessages: Message[]): Promise<void> {
  try {
    await database.put(changed, changedMessages);
    storageFull.value = false;
  } catch {
    storageFull.value = true;
  }
}

function sorted(list: Conversation[]): Conversation[] {
  return [...list].sort((a, b) => b.updated - a.updated);
}

function remember(conversation: Conversation): void {
  const others = conversations.value.filter((c) => c.id !== conversation.id);
  conversations.value = sorted([...others, conversation]);
}

// ---- Coming and going -------------------------------------------------------------------------------------------------

export async function loadConversations(): Promise<void> {
  isLasting.value = await database.isLasting();
  const kept = await database.allConversations();
  const known = new Set(kept.map((c) => c.id));
  batch(() => {
    conversations.value = sorted([...kept, ...conversations.value.filter((c) => !known.has(c.id))]); // somebody may have begun meanwhile
    isLoaded.value = true;
    if (known.has(draft.value.id)) draft.value = newConversation(); // a copy of this tab has sent it
  });
  onTabs((note) => void readAgain(note.conversation, note.removed === true));
  setInterval(() => void markAbandoned(), 5000);
}

/** After another tab's note. */
async function readAgain(id: string, removed: boolean): Promise<void> {
  const conversation = removed ? undefined : await database.getConversation(id);
  if (!conversation) {
    conversations.value = conversations.value.filter((c) => c.id !== id);
    if (currentId.value === id) startNew();
    return;
  }
  const mine = conversations.value.find((c) => c.id === id);
  // Which branch is shown is each tab's own affair, unless the other tab went on from here.
  const list = new Map((await database.messagesOf(id)).map((m) => [m.id, live.get(m.id) ?? m]));
  const follows = !mine?.leaf || pathTo(list, conversation.leaf).some((m) => m.id === mine.leaf);
  batch(() => {
    remember(follows ? conversation : { ...conversation, leaf: mine.leaf });
    if (currentId.value === id) messages.value = list;
  });
}

const noBeat = 90_000; // a hidden tab's timers may run once a minute

/** A stream that nobody writes any more is broken: its tab was closed or reloaded, or the machine went down. */
function settled(message: Message, held: Set<string> | null): Message {
  if (message.status !== 'streaming' || live.has(message.id)) return message;
  const alive = message.tab !== tabId && (held ? held.has(message.id) : Date.now() - (message.beat ?? 0) < noBeat);
  return alive ? message : { ...message, status: 'broken', problem: { kind: 'cut', ...texts.problems.left } };
}

/** Marks the messages shown that another tab began and left. */
async function markAbandoned(): Promise<void> {
  const streaming = [...messages.value.values()].filter((m) => m.status === 'streaming' && !live.has(m.id));
  if (streaming.length === 0) return;
  const held = await heldLocks();
  for (const before of streaming) {
    const after = settled(before, held);
    if (after !== before && messages.value.get(before.id) === before) await updateMessage(after, true);
  }
}

export async function openConversation(id: string): Promise<void> {
  const conversation = conversations.value.find((c) => c.id === id);
  if (!conversation) return startNew();
  const read = await database.messagesOf(id);
  const held = await heldLocks();
  const list = read.map((m) => settled(live.get(m.id) ?? m, held));
  batch(() => {
    currentId.value = id;
    messages.value = new Map(list.map((m) => [m.id, m]));
  });
  await keep([], list.filter((m, i) => m !== read[i] && !live.has(m.id)));
}

/** Shows a new chat: the one that was begun and left for another conversation, or else an empty one. */
export function startNew(): void {
  const begun = currentId.value !== null && !conversations.value.some((c) => c.id === draft.value.id);
  batch(() => {
    if (!begun) draft.value = newConversation();
    currentId.value = null;
    messages.value = new Map();
  });
}

// ---- Changes ----------------------------------------------------------------------------------------------------------

/** Changes the named conversation; a draft is only changed in memory. */
export async function changeConversation(id: string, change: Partial<Conversation>): Promise<void> {
  const old = conversations.value.find((c) => c.id === id);
  if (!old) {
    if (draft.value.id === id) draft.value = { ...draft.value, ...change };
    return;
  }
  if (leaving.has(id)) return;
  const next = { ...old, ...change };
  remember(next);
  await keep([next], []);
  tellTabs({ conversation: id });
}

/** Adds a message below its parent and shows it. A draft becomes a kept conversation. */
export async function addMessage(message: Message, shown = true): Promise<void> {
  const id = message.conversation;
  const old = conversations.value.find((c) => c.id === id) ?? draft.value;
  const next: Conversation = { ...old, updated: Date.now(), leaf: shown ? message.id : old.leaf };
  if (!next.titleGiven && message.role === 'user' && message.parent === null) {
    next.title = oneLine(message.content, 60) || message.files?.[0]?.name || texts.untitled;
  }
  batch(() => {
    remember(next);
    if (old === draft.value && currentId.value === null) currentId.value = id;
    if (currentId.value === id) messages.value = new Map(messages.value).set(message.id, message);
  });
  await keep([next], [message]);
  tellTabs({ conversation: id });
}

/** Shows a newer form of a message; write says whether it goes to the database as well. */
export async function updateMessage(message: Message, write: boolean): Promise<void> {
  const streaming = message.status === 'streaming';
  if (streaming) live.set(message.id, message);
  if (currentId.value === message.conversation) messages.value = new Map(messages.value).set(message.id, message);
  if (write && !leaving.has(message.conversation) && conversations.value.some((c) => c.id === message.conversation)) {
    await keep([], [message]);
    tellTabs({ conversation: message.conversation });
  }
  if (!streaming) live.delete(message.id);
}

/** Shows the branch that a sibling begins. */
export function showBranch(message: Message): Promise<void> {
  return changeConversation(message.conversation, { leaf: newestLeaf(messages.value, message.id) });
}

/** It goes from the list when it has gone from the database: what looks deleted does not come back on a reload. */
export async function removeConversation(id: string): Promise<void> {
  leaving.add(id);
  try {
    await database.removeConversation(id);
  } catch {
    leaving.delete(id);
    storageFull.value = true;
    return;
  }
  conversations.value = conversations.value.filter((c) => c.id !== id);
  if (currentId.value === id) startNew();
  tellTabs({ conversation: id, removed: true });
}

/** Adds what an import read. */
export async function addConversations(list: { conversation: Conversation; messages: Message[] }[]): Promise<void> {
  await database.put(list.map((entry) => entry.conversation), list.flatMap((entry) => entry.messages));
  for (const { conversation } of list) {
    remember(conversation);
    tellTabs({ conversation: conversation.id });
  }
}

/** The conversations whose title, tags or messages hold every word. */
export async function search(words: string): Promise<Set<string>> {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  const found = new Set<string>();
  const holds = (text: string): boolean => {
    const lower = text.toLowerCase();
    return wanted.every((word) => lower.includes(word));
  };
  for (const c of conversations.value) if (holds(`${c.title} ${c.tags.join(' ')}`)) found.add(c.id);
  await database.eachMessage((m) => {
    if (!found.has(m.conversation) && holds(`${m.content} ${m.reasoning ?? ''}`)) found.add(m.conversation);
    return true;
  });
  return found;
}

