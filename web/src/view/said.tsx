// What the person said, and what a tool gave back.
import type { VNode } from 'preact';
import { useState } from 'preact/hooks';
import type { Message } from '../data/types';
import { oneLine } from '../base/format';
import { say } from '../state/answering';
import { Text } from '../markdown/text';
import { texts } from '../texts';
import { Branches, type Place } from './branches';
import { Editor } from './editor';
import { Icon } from './icons';
import { CopyButton, IconButton } from './parts';
import { memo } from './memo';

function ToolResult({ message }: { message: Message }): VNode {
  return (
    <div class="tool-result" role="group" aria-label={texts.log.result(oneLine(message.toolName ?? ''))}>
      <details>
        <summary><Icon name="tool" />{texts.log.result(oneLine(message.toolName ?? '', 64))}</summary>
        <pre dir="auto" tabIndex={0}><Text text={message.content} /></pre>
      </details>
    </div>
  );
}

function SaidView({ message, place }: { message: Message; place: Place }): VNode {
  const [editing, setEditing] = useState(false);
  if (message.role === 'tool') return <ToolResult message={message} />;
  const change = (text: string): void => {
    setEditing(false);
    void say(text, message.files, message.parent);
  };
  return (
    <div class="said" role="group" aria-label={texts.log.you}>
      {editing ? (
        <Editor text={message.content} saveLabel={texts.actions.editAsk} onSave={change} onClose={() => setEditing(false)} />
      ) : (
        <>
          <div class="bubble">
            {message.files && (
              <ul class="files">
                {message.files.map((file, i) => (
                  <li key={i}><details><summary><Icon name="file" /><span dir="auto">{texts.log.file(file.name, file.text.length)}</span></summary>
                    <pre tabIndex={0}><Text text={file.text.slice(0, 20_000)} /></pre></details></li>
                ))}
              </ul>
            )}
            {message.content !== '' && <p dir="auto"><Text text={message.content} /></p>}
          </div>
          <div class="actions" role="group" aria-label={texts.actions.label}>
            <Branches place={place} />
            <CopyButton text={message.content} label={texts.actions.copy} />
            <IconButton icon="edit" label={texts.actions.edit} onClick={() => setEditing(true)} />
          </div>
        </>
      )}
    </div>
  );
}

export const Said = memo(SaidView, (a, b) => a.message === b.message && samePlace(a.place, b.place));

export function samePlace(a: Place, b: Place): boolean {
  return a.index === b.index && a.siblings.length === b.siblings.length;
}
