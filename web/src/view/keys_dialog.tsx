// The list of keys.
import type { VNode } from 'preact';
import { signal } from '@preact/signals';
import { texts } from '../texts';
import { Dialog } from './parts';

export const keysShown = signal(false);

export function KeysDialog(): VNode {
  return (
    <Dialog title={texts.keys.title} onClose={() => (keysShown.value = false)}>
      <dl class="keys">
        {texts.keys.list.map(([keys, what]) => (
          <div key={keys}><dt><kbd>{keys}</kbd></dt><dd>{what}</dd></div>
        ))}
      </dl>
    </Dialog>
  );
}
