// The address names what is shown: #/chat/ID, #/classify, or nothing for a new chat. Back and forward work.
import { effect, signal, untracked } from '@preact/signals';
import { oneLine } from '../base/format';
import { texts } from '../texts';
import { conversations, current, draft, openConversation, startNew } from './conversations';

export const view = signal<'chat' | 'classify'>('chat');

const addressOf = (id: string): string => `#/chat/${id}`;

/** Whether the address names a conversation, which then has to be there before it is shown. */
export const namesConversation = (): boolean => location.hash.startsWith('#/chat/');

async function go(): Promise<void> {
  const hash = location.hash;
  view.value = hash === '#/classify' ? 'classify' : 'chat';
  const id = /^#\/chat\/([0-9a-f]+)$/.exec(hash)?.[1];
  if (id && conversations.value.some((c) => c.id === id)) {
    if (current.value.id !== id) await openConversation(id);
  } else if (view.value === 'chat' && current.value !== draft.value) {
    startNew();
  }
}

/** Shows what the address names, now and whenever it changes. */
export async function followAddress(): Promise<void> {
  await go();
  addEventListener('hashchange', () => void go());
  effect(() => {
    const conversation = current.value;
    const wanted = view.value === 'classify' ? '#/classify' : conversation === draft.value ? '' : addressOf(conversation.id);
    document.title = view.value === 'classify' || conversation === draft.value ? texts.name : `${oneLine(conversation.title, 60)} – ${texts.name}`;
    untracked(() => {
      if (location.hash === wanted) return;
      // A draft that became a conversation takes the draft's place in the history.
      history[location.hash === '' ? 'replaceState' : 'pushState'](null, '', wanted || location.pathname + location.search);
    });
  });
}

export function show(where: 'chat' | 'classify'): void {
  view.value = where;
}

export { addressOf };
