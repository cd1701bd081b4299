// Names for things. crypto.randomUUID is missing where the page comes over plain HTTP from another machine.

/** A new identifier of 96 random bits in hexadecimal. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}

/** A seed that every client holds exactly: an integer below 2^32. */
export function newSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}

/** Names this tab. It survives a reload, so that a stream which the reload broke is known at once. */
export const tabId: string = (() => {
  try {
    const old = sessionStorage.getItem('lfm-tab');
    if (old) return old;
    const id = newId();
    sessionStorage.setItem('lfm-tab', id);
    return id;
  } catch {
    return newId();
  }
})();
