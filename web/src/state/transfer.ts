// Exports to the person's disk, imports from there.
import { download, fileName, readText } from '../base/files';
import { oneLine } from '../base/format';
import { messagesOf } from '../data/database';
import { toMarkdown, fromMarkdown } from '../data/markdown_file';
import { fromJson, ImportError, toJson, type Entry } from '../data/transfer';
import { pathTo } from '../data/tree';
import type { Conversation } from '../data/types';
import { texts } from '../texts';
import { showToast } from '../view/parts';
import { addConversations, conversations } from './conversations';

const maxImport = 64_000_000;

export async function exportOne(conversation: Conversation, kind: 'json' | 'md'): Promise<void> {
  const messages = await messagesOf(conversation.id);
  if (kind === 'json') {
    download(fileName(conversation.title, 'json'), 'application/json', toJson([{ conversation, messages }]));
  } else {
    const path = pathTo(new Map(messages.map((m) => [m.id, m])), conversation.leaf);
    download(fileName(conversation.title, 'md'), 'text/markdown', toMarkdown(conversation, path));
  }
}

export async function exportAll(): Promise<void> {
  const entries: Entry[] = [];
  for (const conversation of conversations.value) entries.push({ conversation, messages: await messagesOf(conversation.id) });
  download(`lfm-${new Date().toISOString().slice(0, 10)}.json`, 'application/json', toJson(entries));
}

export async function importFile(file: File): Promise<void> {
  const name = oneLine(file.name, 60);
  try {
    const text = await readText(file, maxImport);
    if (text === null) throw new ImportError(texts.transfer.notText);
    const entries = /\.md$/i.test(file.name) ? [fromMarkdown(file.name, text)] : fromJson(text);
    await addConversations(entries).catch(() => {
      throw new ImportError(texts.transfer.full);
    });
    showToast(texts.transfer.imported(entries.length));
  } catch (error) {
    if (!(error instanceof ImportError)) throw error;
    showToast(texts.transfer.failed(name, error.message));
  }
}
