// Small parts that stand in many places.
import type { ComponentChildren, VNode } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { signal } from '@preact/signals';
import { copyText } from '../base/files';
import { texts } from '../texts';
import { Icon, type IconName } from './icons';

/** What a screen reader is to say; shown nowhere. */
export const announcement = signal('');

export function announce(text: string): void {
  announcement.value = '';
  setTimeout(() => (announcement.value = text), 50);
}

/** A line that shows itself for some seconds. */
export const toast = signal('');
let toastTimer: ReturnType<typeof setTimeout> | undefined;

export function showToast(text: string, ms = 6000): void {
  toast.value = text;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => (toast.value = ''), ms);
}

interface IconButtonProps {
  icon: IconName;
  label: string;
  onClick: (event: MouseEvent) => void;
  disabled?: boolean;
  pressed?: boolean;
  expanded?: boolean;
  class?: string;
}

export function IconButton({ icon, label, onClick, disabled, pressed, expanded, class: name = '' }: IconButtonProps): VNode {
  return (
    <button type="button" class={`icon-button ${name}`} aria-label={label} title={label} aria-pressed={pressed} aria-expanded={expanded}
      disabled={disabled} onClick={onClick}>
      <Icon name={icon} />
    </button>
  );
}

export function CopyButton({ text, label }: { text: string; label: string }): VNode {
  const [done, setDone] = useState(false);
  const copy = async (): Promise<void> => {
    if (!(await copyText(text))) return showToast(texts.copyFailed);
    setDone(true);
    announce(texts.copied);
    setTimeout(() => setDone(false), 1500);
  };
  return <IconButton icon={done ? 'check' : 'copy'} label={label} onClick={() => void copy()} />;
}

/** A modal dialog of the browser's own kind: it keeps the focus and gives it back, Escape closes it. */
export function Dialog({ title, onClose, children, wide = false }: { title: string; onClose: () => void; children: ComponentChildren; wide?: boolean }): VNode {
  const box = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = box.current!;
    const before = document.activeElement;
    if (!dialog.open) dialog.showModal();
    return () => {
      dialog.close();
      if (before instanceof HTMLElement) before.focus(); // the browser forgets it where the dialog goes with its close
    };
  }, []);
  const clickedOutside = (event: MouseEvent): void => {
    if (event.target === box.current) onClose();
  };
  return (
    <dialog ref={box} class={wide ? 'dialog wide' : 'dialog'} aria-labelledby={id} onCancel={(event) => { event.preventDefault(); onClose(); }}
      onClick={clickedOutside}>
      <div class="dialog-inside">
        <header>
          <h2 id={id}>{title}</h2>
          <IconButton icon="close" label={texts.close} onClick={onClose} />
        </header>
        {children}
      </div>
    </dialog>
  );
}

/** A row of tabs over one panel, by the pattern of the ARIA guide: arrows move, one tab stop. */
export function Tabs<T extends string>({ names, chosen, onChoose, label, children }: {
  names: [T, string][]; chosen: T; onChoose: (name: T) => void; label: string; children: ComponentChildren;
}): VNode {
  const id = useId();
  const row = useRef<HTMLDivElement>(null);
  const move = (event: KeyboardEvent): void => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (step === 0) return;
    const next = (names.findIndex(([name]) => name === chosen) + step + names.length) % names.length;
    onChoose(names[next]![0]);
    row.current?.querySelectorAll('button')[next]?.focus();
  };
  return (
    <>
      <div role="tablist" aria-label={label} class="tabs" ref={row} onKeyDown={move}>
        {names.map(([name, text]) => (
          <button key={name} type="button" role="tab" id={`${id}-${name}`} aria-selected={name === chosen} aria-controls={`${id}-panel`}
            tabIndex={name === chosen ? 0 : -1} onClick={() => onChoose(name)}>{text}</button>
        ))}
      </div>
      <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${chosen}`}>{children}</div>
    </>
  );
}

/** A labelled field; help stands below and is told with the field. */
export function Field({ label, help, children }: { label: string; help?: string; children: (ids: { id: string; 'aria-describedby'?: string }) => VNode }): VNode {
  const id = useId();
  const ids: { id: string; 'aria-describedby'?: string } = { id };
  if (help) ids['aria-describedby'] = `${id}-help`;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children(ids)}
      {help && <p class="help" id={`${id}-help`}>{help}</p>}
    </div>
  );
}
