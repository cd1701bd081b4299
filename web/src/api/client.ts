// Talking to the server that gave this page, and to nobody else. The key, if one is needed, stays in this browser.
import { signal } from '@preact/signals';
import { EventReader } from './events';
import { cut, fromBody, fromResponse, gone } from './problem';
import type { Chunk } from './types';

const stored = 'lfm-key';

function readKey(): string {
  try {
    return localStorage.getItem(stored) ?? '';
  } catch {
    return '';
  }
}

export const apiKey = signal(readKey());

export function setApiKey(key: string): void {
  apiKey.value = key.trim();
  try {
    if (apiKey.value) localStorage.setItem(stored, apiKey.value);
    else localStorage.removeItem(stored);
  } catch {
    // It then lasts as long as this tab.
  }
}

async function send(path: string, options: RequestInit): Promise<Response> {
  const headers = new Headers(options.headers);
  if (apiKey.value) headers.set('Authorization', `Bearer ${apiKey.value}`);
  if (options.body) headers.set('Content-Type', 'application/json');
  let response: Response;
  try {
    response = await fetch(path, { ...options, headers, credentials: 'same-origin', cache: 'no-store' });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw gone();
  }
  if (!response.ok) throw await fromResponse(response);
  return response;
}

/** A JSON answer. Throws RequestError, or AbortError where the caller gave up. */
export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await (await send(path, { signal: signal ?? null })).json()) as T;
}

export async function postJson<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
  const response = await send(path, { method: 'POST', body: JSON.stringify(body), signal: signal ?? null });
  try {
    return (await response.json()) as T;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw cut();
  }
}

/**
 * Streams a chat completion, calling onChunk for each piece. Resolves when the server said that the answer is whole;
 * throws RequestError where it said an error or the stream ended before, AbortError where the caller stopped it.
 */
export async function streamChat(body: unknown, signal: AbortSignal, onChunk: (chunk: Chunk) => void): Promise<void> {
  const response = await send('v1/chat/completions', {
    method: 'POST',
    body: JSON.stringify(body),
    signal,
    headers: { Accept: 'text/event-stream' },
  });
  const reader = response.body!.getReader();
  const events = new EventReader();
  let finished = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      for (const data of events.read(value)) {
        if (data.startsWith('[DONE]')) return;
        const chunk = JSON.parse(data) as Chunk;
        if (chunk.error) throw fromBody(Number(chunk.error.code) || 500, chunk.error);
        if (chunk.choices?.some((choice) => choice.finish_reason)) finished = true;
        onChunk(chunk);
      }
    }
  } catch (error) {
    if (error instanceof TypeError || error instanceof SyntaxError) throw cut();
    throw error;
  } finally {
    reader.cancel().catch(() => undefined);
  }
  if (!finished) throw cut();
}
