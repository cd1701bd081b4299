// The writing box: text, attached files, the button that hands it over or stops the answer.
import type { VNode } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { chooseFiles, readText } from '../base/files';
import { bytes, oneLine } from '../base/format';
import { parseAs } from '../api/request';
import type { AttachedFile } from '../data/types';
import { current, path } from '../state/conversations';
import { running, say, stop } from '../state/answering';
import { draftText, keepFiles, keptFiles, showDraft, writeDraft } from '../state/drafts';
import { panelOpen } from '../state/preferences';
import { texts } from '../texts';
import { Icon } from './icons';
import { IconButton, showToast } from './parts';

const maxFile = 1_000_000;
const maxFiles = 20;
const pasteAsFile = 20_000; // longer pasted texts become a file

async function readFiles(files: File[]): Promise<AttachedFile[]> {
  const read: AttachedFile[] = [];
  for (const file of files) {
    const text = await readText(file, maxFile);
    if (text === null) showToast(texts.composer.notText(oneLine(file.name, 60)));
    else read.push({ name: oneLine(file.name, 80), text });
  }
  return read;
}

function Chips(): VNode | null {
  const conversation = current.value;
  const tools = (parseAs('array', conversation.tools) as unknown[] | undefined)?.length ?? 0;
  const chips = [
    conversation.system.trim() !== '' && texts.composer.system,
    tools > 0 && texts.composer.tools(tools),
    parseAs('object', conversation.schema) && texts.composer.format,
  ].filter((chip) => typeof chip === 'string');
  if (chips.length === 0) return null;
  return (
    <div class="chips">
      {chips.map((chip) => <button key={chip} type="button" class="tag" onClick={() => (panelOpen.value = true)}>{chip}</button>)}
    </div>
  );
}

function FileChips({ files, onRemove }: { files: AttachedFile[]; onRemove: (at: number) => void }): VNode | null {
  if (files.length === 0) return null;
  return (
    <ul class="files" aria-label={texts.composer.attached}>
      {files.map((file, i) => (
        <li key={i}><Icon name="file" /><span dir="auto">{file.name}</span><small>{bytes(file.text.length)}</small>
          <IconButton icon="close" label={texts.composer.detach(file.name)} onClick={() => onRemove(i)} /></li>
      ))}
    </ul>
  );
}

/** The files that go with the next message. Several may be on their way at once. */
function useFiles(conversation: string) {
  const [files, setFiles] = useState<AttachedFile[]>(() => keptFiles(conversation));
  useLayoutEffect(() => keepFiles(conversation, files), [files]);
  const attach = async (list: File[]): Promise<void> => {
    const read = await readFiles(list);
    setFiles((now) => [...now, ...read].slice(0, maxFiles));
  };
  return { files, setFiles, attach };
}

export function Composer({ onSay }: { onSay: () => void }): VNode {
  const conversation = current.value;
  const area = useRef<HTMLTextAreaElement>(null);
  const { files, setFiles, attach } = useFiles(conversation.id);
  const [over, setOver] = useState(false);
  const streams = [...running.value.values()].some((entry) => entry.conversation === conversation.id);
  const last = path.value.at(-1);
  const waitsForResults = last?.role === 'assistant' && (last.toolCalls?.length ?? 0) > 0 && !streams;
  const text = draftText.value;

  useLayoutEffect(() => showDraft(conversation.id), []);
  useEffect(() => {
    if (matchMedia('(min-width: 900px)').matches) area.current?.focus();
  }, []);
  useLayoutEffect(() => {
    const box = area.current!;
    box.style.height = 'auto';
    box.style.height = `${Math.min(box.scrollHeight + 2, innerHeight * 0.4)}px`;
  }, [text]);

  const submit = (): void => {
    if (streams || (text.trim() === '' && files.length === 0)) return;
    void say(text.trim(), files, last?.id ?? null);
    writeDraft(conversation.id, '');
    setFiles([]);
    onSay();
    area.current?.focus();
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      submit();
    }
  };
  const onPaste = (event: ClipboardEvent): void => {
    const pasted = event.clipboardData?.getData('text/plain') ?? '';
    const list = [...(event.clipboardData?.files ?? [])];
    if (list.length === 0 && pasted.length <= pasteAsFile) return;
    event.preventDefault();
    void attach(list.length > 0 ? list : [new File([pasted], 'pasted.txt')]);
  };
  const onDrop = (event: DragEvent): void => {
    event.preventDefault();
    setOver(false);
    void attach([...(event.dataTransfer?.files ?? [])]);
  };
  return (
    <form class={`composer${over ? ' over' : ''}`} onSubmit={(event) => { event.preventDefault(); submit(); }} onDrop={onDrop}
      onDragOver={(event) => { event.preventDefault(); setOver(true); }} onDragLeave={() => setOver(false)}>
      <Chips />
      <div class="composer-box">
        <FileChips files={files} onRemove={(at) => setFiles(files.filter((_, i) => i !== at))} />
        <textarea id="message" ref={area} rows={1} dir="auto" aria-label={texts.composer.label} value={text}
          placeholder={over ? texts.composer.drop : waitsForResults ? texts.composer.resultsFirst : texts.composer.placeholder}
          onInput={(event) => writeDraft(conversation.id, event.currentTarget.value)} onKeyDown={onKey} onPaste={onPaste} />
        <div class="composer-row">
          <IconButton icon="attach" label={texts.composer.attach} onClick={() => void chooseFiles('text/*,.md,.csv,.json,.txt,.log,.py,.c,.cc,.h,.ts,.js', true).then(attach)} />
          <span class="help only-wide">{texts.composer.hint}</span>
          {streams
            ? <button type="button" class="round-button stop" aria-label={texts.composer.stop} title={texts.composer.stop} onClick={() => stop(conversation.id)}><Icon name="stop" /></button>
            : <button type="submit" class="round-button" aria-label={texts.composer.send} title={texts.composer.send} disabled={text.trim() === '' && files.length === 0}><Icon name="send" /></button>}
        </div>
      </div>
    </form>
  );
}
