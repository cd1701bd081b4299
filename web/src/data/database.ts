// IndexedDB behind a few functions. Messages are records of their own, so that two tabs on one conversation never
// overwrite each other. Where the browser keeps nothing, memory stands in and `isLasting` says so.
import type { Conversation, Message } from './types';

const name = 'lfm';
const version = 1;

let database: Promise<IDBDatabase | null> | undefined;
const memory = { conversations: new Map<string, Conversation>(), messages: new Map<string, Message>() };

function open(): Promise<IDBDatabase | null> {
  database ??= new Promise((resolve) => {
    try {
      const request = indexedDB.open(name, version);
      request.onupgradeneeded = () => {
        request.result.createObjectStore('conversations', { keyPath: 'id' });
        request.result.createObjectStore('messages', { keyPath: 'id' }).createIndex('conversation', 'conversation');
      };
      request.onsuccess = () => {
        request.result.onversionchange = () => request.result.close();
        resolve(request.result);
      };
      request.onerror = () => resolve(null);
      request.onblocked = () => resolve(null);
    } catch {
      resolve(null);
    }
  });
  return database;
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('IndexedDB failed'));
  });
}

/** Resolves when everything in the transaction is on disk as far as the browser promises. */
function committed(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = transaction.onerror = () => reject(transaction.error ?? new Error('IndexedDB failed'));
  });
}

/** False where conversations live in memory alone. */
export async function isLasting(): Promise<boolean> {
  return (await open()) !== null;
}

export async function allConversations(): Promise<Conversation[]> {
  const db = await open();
  if (!db) return [...memory.conversations.values()];
  return done(db.transaction('conversations').objectStore('conversations').getAll() as IDBRequest<Conversation[]>);
}

export async function getConversation(id: string): Promise<Conversation | undefined> {
  const db = await open();
  if (!db) return memory.conversations.get(id);
  return done(db.transaction('conversations').objectStore('conversations').get(id) as IDBRequest<Conversation | undefined>);
}

export async function messagesOf(conversation: string): Promise<Message[]> {
  const db = await open();
  if (!db) return [...memory.messages.values()].filter((m) => m.conversation === conversation);
  return done(db.transaction('messages').objectStore('messages').index('conversation').getAll(conversation) as IDBRequest<Message[]>);
}

/** Writes all of it or none. */
export async function put(conversations: Conversation[], messages: Message[]): Promise<void> {
  const db = await open();
  if (!db) {
    for (const c of conversations) memory.conversations.set(c.id, c);
    for (const m of messages) memory.messages.set(m.id, m);
    return;
  }
  const transaction = db.transaction(['conversations', 'messages'], 'readwrite');
  for (const c of conversations) transaction.objectStore('conversations').put(c);
  for (const m of messages) transaction.objectStore('messages').put(m);
  await committed(transaction);
}

export async function removeConversation(id: string): Promise<void> {
  const db = await open();
  if (!db) {
    memory.conversations.delete(id);
    for (const m of memory.messages.values()) if (m.conversation === id) memory.messages.delete(m.id);
    return;
  }
  const transaction = db.transaction(['conversations', 'messages'], 'readwrite');
  transaction.objectStore('conversations').delete(id);
  const messages = transaction.objectStore('messages');
  const keys = messages.index('conversation').getAllKeys(id);
  keys.onsuccess = () => {
    for (const key of keys.result) messages.delete(key);
  };
  await committed(transaction);
}

/** Calls visit with every message of every conversation; stops early when it returns false. */
export async function eachMessage(visit: (message: Message) => boolean): Promise<void> {
  const db = await open();
  if (!db) {
    for (const m of memory.messages.values()) if (!visit(m)) return;
    return;
  }
  const request = db.transaction('messages').objectStore('messages').openCursor();
  await new Promise<void>((resolve, reject) => {
    request.onerror = () => reject(request.error ?? new Error('IndexedDB failed'));
    request.onsuccess = () => {
      const cursor = request.result;
      if (!cursor || !visit(cursor.value as Message)) resolve();
      else cursor.continue();
    };
  });
}
