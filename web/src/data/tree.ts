// The messages of a conversation are a tree: editing and asking again give siblings. A path goes from a root to a leaf.
import type { Message } from './types';

export type Messages = ReadonlyMap<string, Message>;

/** From the first message to the one named; empty for null. Ends at a missing or repeated parent. */
export function pathTo(messages: Messages, leaf: string | null): Message[] {
  const path: Message[] = [];
  const seen = new Set<string>();
  for (let id = leaf; id !== null && !seen.has(id); ) {
    const message = messages.get(id);
    if (!message) break;
    seen.add(id);
    path.push(message);
    id = message.parent;
  }
  return path.reverse();
}

const inOrder = (a: Message, b: Message): number => a.created - b.created || (a.id < b.id ? -1 : 1);

/** The children of one parent in order of their making. */
export function childrenOf(messages: Messages, parent: string | null): Message[] {
  return [...messages.values()].filter((m) => m.parent === parent).sort(inOrder);
}

/** The same for every parent at once. */
export function childrenByParent(messages: Messages): ReadonlyMap<string | null, Message[]> {
  const children = new Map<string | null, Message[]>();
  for (const message of messages.values()) {
    const list = children.get(message.parent);
    if (list) list.push(message);
    else children.set(message.parent, [message]);
  }
  for (const list of children.values()) list.sort(inOrder);
  return children;
}

/** The leaf below a message that is reached by taking the newest child each time. */
export function newestLeaf(messages: Messages, from: string): string {
  let id = from;
  for (let steps = 0; steps <= messages.size; steps++) {
    const child = childrenOf(messages, id).at(-1);
    if (!child) break;
    id = child.id;
  }
  return id;
}
