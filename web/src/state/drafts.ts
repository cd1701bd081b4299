// What is typed and attached but not yet sent, by conversation: a reload loses none of it. A new chat's lasts as long as its
// tab, so that two tabs may each begin one.
import { effect, signal } from '@preact/signals';
import type { AttachedFile, Conversation } from '../data/types';
import { conversations, draft, newConversation } from './conversations';

const newChat = 'lfm-new';
const maxKept = 2_000_000; // characters of attached files

const isDraft = (value: unknown): value is Conversation =>
  typeof value === 'object' && value !== null && 'id' in value && 'settings' in value && 'leaf' in value && value.leaf === null;

const storeOf = (conversation: string): Storage =>
  conversations.value.some((c) => c.id === conversation) ? localStorage : sessionStorage;

function read<T>(get: () => T, otherwise: T): T {
  try {
    return get();
  } catch {
    return otherwise; // nothing may be kept here
  }
}

function write(conversation: string, what: string, value: string): void {
  try {
    const store = storeOf(conversation);
    if (value === '') store.removeItem(`lfm-${what}-${conversation}`);
    else store.setItem(`lfm-${what}-${conversation}`, value);
  } catch {
    // Full or forbidden: it still stands in the box.
  }
}

/** What stands in the box. */
export const draftText = signal('');

/** Puts what was last written for the conversation into the box. */
export function showDraft(conversation: string): void {
  draftText.value = read(() => storeOf(conversation).getItem(`lfm-draft-${conversation}`) ?? '', '');
}

/** Changes the box and what is kept of it at once: the page may be gone before it is drawn again. */
export function writeDraft(conversation: string, text: string): void {
  draftText.value = text;
  write(conversation, 'draft', text);
}

export const keptFiles = (conversation: string): AttachedFile[] =>
  read(() => JSON.parse(storeOf(conversation).getItem(`lfm-files-${conversation}`) ?? '[]') as AttachedFile[], []);

export function keepFiles(conversation: string, files: AttachedFile[]): void {
  const size = files.reduce((sum, file) => sum + file.text.length, 0);
  write(conversation, 'files', files.length === 0 || size > maxKept ? '' : JSON.stringify(files));
}

/** Takes up the new chat that this tab had before it was reloaded, with its settings, and keeps each further one. */
export function followDraft(): void {
  const before = read(() => JSON.parse(sessionStorage.getItem(newChat) ?? 'null') as unknown, null);
  if (isDraft(before)) draft.value = { ...newConversation(), ...before };
  let last = draft.value.id;
  effect(() => {
    if (draft.value.id !== last) {
      for (const what of ['draft', 'files']) read(() => sessionStorage.removeItem(`lfm-${what}-${last}`), undefined);
      last = draft.value.id;
    }
    read(() => sessionStorage.setItem(newChat, JSON.stringify(draft.value)), undefined);
  });
}
