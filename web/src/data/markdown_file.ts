// One conversation as a Markdown file, and back: "# title", then "## You" and "## Assistant" over each turn. Lines of a
// turn that would look like such a heading are escaped by a backslash.
import { newId } from '../base/ids';
import { oneLine } from '../base/format';
import { texts } from '../texts';
import { ImportError, type Entry } from './transfer';
import type { Conversation, Message } from './types';

const headings: Record<string, Message['role'] | 'system'> = { [texts.transfer.system]: 'system', [texts.transfer.you]: 'user', [texts.transfer.assistant]: 'assistant' };

const escapeLines = (text: string): string => text.replace(/^(\\*##? )/gm, '\\$1');
const unescapeLines = (text: string): string => text.replace(/^\\(\\*##? )/gm, '$1');

function turn(message: Message): string {
  if (message.role === 'tool') return `## ${texts.transfer.result} ${oneLine(message.toolName ?? texts.transfer.aTool, 64)}\n\n${escapeLines(message.content)}`;
  if (message.role === 'user') {
    const files = (message.files ?? []).map((file) => `\n\n${texts.transfer.file} ${file.name}:\n\n${file.text.replace(/^/gm, '    ')}`);
    return `## ${texts.transfer.you}\n\n${escapeLines(message.content + files.join(''))}`;
  }
  const calls = (message.toolCalls ?? []).map((call) => `\n\n    ${call.name}(${call.arguments.replaceAll('\n', '\n    ')})`);
  return `## ${texts.transfer.assistant}\n\n${escapeLines(message.content + calls.join(''))}`;
}

/** The path that is shown, as Markdown. */
export function toMarkdown(conversation: Conversation, path: Message[]): string {
  const parts = [`# ${oneLine(conversation.title)}`];
  if (conversation.system.trim() !== '') parts.push(`## ${texts.transfer.system}\n\n${escapeLines(conversation.system)}`);
  return `${[...parts, ...path.map(turn)].join('\n\n')}\n`;
}

/** Reads what toMarkdown wrote, and files like it. Throws ImportError where no turn is found. */
export function fromMarkdown(name: string, text: string): Entry {
  const id = newId();
  const now = Date.now();
  let title = oneLine(name.replace(/\.md$/i, ''));
  let prompt = '';
  const messages: Message[] = [];
  let role: Message['role'] | 'system' | null = null;
  let lines: string[] = [];
  const close = (): void => {
    const content = unescapeLines(lines.join('\n').trim());
    lines = [];
    if (role === null || content === '') return;
    if (role === 'system') {
      prompt = content;
      return;
    }
    const message: Message = { id: newId(), conversation: id, parent: messages.at(-1)?.id ?? null, created: now + messages.length, role, content };
    if (role === 'assistant') message.status = 'done';
    messages.push(message);
  };
  for (const line of text.replaceAll('\r\n', '\n').split('\n')) {
    const heading = /^## (.+)$/.exec(line)?.[1]?.trim();
    if (heading !== undefined && (heading in headings || heading.startsWith(`${texts.transfer.result} `))) {
      close();
      role = headings[heading] ?? 'user'; // a result whose call is lost reads as a turn of the person
    } else if (role === null && line.startsWith('# ')) {
      title = oneLine(line.slice(2)) || title;
    } else {
      lines.push(line);
    }
  }
  close();
  if (messages.length === 0) throw new ImportError(texts.transfer.empty);
  const conversation: Conversation = {
    id, title, titleGiven: true, tags: [], created: now, updated: now, leaf: messages.at(-1)!.id, system: prompt, tools: '', schema: '', settings: {},
  };
  return { conversation, messages };
}
