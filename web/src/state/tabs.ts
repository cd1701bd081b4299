// Several tabs: whoever writes says so, the others read again. Who streams a message holds a lock of its name, which the
// browser takes back when the tab is gone.
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

/** Holds the lock of a message until the function that it returns is called. */
export function holdLock(message: string): () => void {
  let release: () => void = () => undefined;
  const until = new Promise<void>((resolve) => (release = resolve));
  navigator.locks?.request(`lfm-${message}`, () => until).catch(() => undefined);
  return release;
}

/** The messages whose locks some tab holds; null where the browser has no locks (a page over plain HTTP from elsewhere). */
export async function heldLocks(): Promise<Set<string> | null> {
  if (!navigator.locks) return null;
  const { held } = await navigator.locks.query();
  return new Set((held ?? []).map((lock) => lock.name?.replace(/^lfm-/, '') ?? ''));
}
