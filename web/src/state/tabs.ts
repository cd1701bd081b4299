// Several tabs: whoever writes says so, the others read again.
const channel = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel('lfm');

export interface Note {
  conversation: string;
  removed?: boolean;
}

export function tellTabs(note: Note): void {
  channel?.postMessage(note);
}

export function onTabs(listen: (note: Note) => void): void {
  channel?.addEventListener('message', (event: MessageEvent<Note>) => listen(event.data));
}
