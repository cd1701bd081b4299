// What keys do anywhere on the page, and beginning a new chat, which a button does as well.
import { stop } from '../state/answering';
import { current, startNew } from '../state/conversations';
import { view } from '../state/address';
import { panelOpen, sidebarOpen } from '../state/preferences';
import { keysShown } from './keys_dialog';

/** Where the lists left and right lie over the chat instead of beside it. */
export const narrow = matchMedia('(max-width: 899px)');

/** Begins a new chat with the writing box in focus. */
export function beginChat(): void {
  view.value = 'chat';
  startNew();
  if (narrow.matches) sidebarOpen.value = panelOpen.value = false;
  setTimeout(() => document.getElementById('message')?.focus());
}

export function onKey(event: KeyboardEvent): void {
  if (event.key === 'Escape' && narrow.matches && (sidebarOpen.value || panelOpen.value)) {
    sidebarOpen.value = panelOpen.value = false;
    event.preventDefault();
    return;
  }
  if (event.key === 'Escape' && !document.querySelector('dialog[open]')) stop(current.value.id);
  if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
  const name = `${event.shiftKey ? 'Shift+' : ''}${event.key.toLowerCase()}`;
  const action = {
    'Shift+o': beginChat,
    k: () => {
      sidebarOpen.value = true;
      setTimeout(() => document.getElementById('search')?.focus());
    },
    b: () => (sidebarOpen.value = !sidebarOpen.value),
    ',': () => (panelOpen.value = !panelOpen.value),
    '/': () => (keysShown.value = true),
  }[name];
  if (!action) return;
  event.preventDefault();
  action();
}
