// A turn's text open for changing. Saving never overwrites: it gives a new version.
import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { texts } from '../texts';

export function Editor({ text, saveLabel, onSave, onClose }: { text: string; saveLabel: string; onSave: (text: string) => void; onClose: () => void }): VNode {
  const [typed, setTyped] = useState(text);
  const area = useRef<HTMLTextAreaElement>(null);
  useEffect(() => area.current?.focus(), []);
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === 'Escape') {
      event.stopPropagation();
      onClose();
    } else if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      onSave(typed);
    }
  };
  return (
    <form class="editor" onSubmit={(event) => { event.preventDefault(); onSave(typed); }}>
      <textarea ref={area} dir="auto" rows={Math.min(16, typed.split('\n').length + 1)} aria-label={texts.actions.editLabel} value={typed}
        onInput={(event) => setTyped(event.currentTarget.value)} onKeyDown={onKey} />
      <p class="buttons">
        <button type="submit" class="main-button">{saveLabel}</button>
        <button type="button" class="plain-button" onClick={onClose}>{texts.cancel}</button>
      </p>
    </form>
  );
}
