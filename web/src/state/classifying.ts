// The classify tab's work: what was typed, what came. It goes on while one looks at a conversation, and a reload keeps what was typed.
import { computed, effect, signal } from '@preact/signals';
import { classifyRows, type Classified, type Label } from '../api/classify';
import { RequestError } from '../api/problem';
import { texts } from '../texts';
import { model } from './server';

const batch = 32; // rows a request
const maxKept = 500_000; // characters that outlive a reload
const stored = 'lfm-classify';

export interface Done extends Classified {
  text: string;
}

function kept(): { labels: string; rows: string } {
  try {
    const value = JSON.parse(sessionStorage.getItem(stored) ?? '{}') as { labels?: unknown; rows?: unknown };
    return { labels: typeof value.labels === 'string' ? value.labels : '', rows: typeof value.rows === 'string' ? value.rows : '' };
  } catch {
    return { labels: '', rows: '' };
  }
}

const before = kept();
export const labelText = signal(before.labels);
export const rowText = signal(before.rows);
export const fileRows = signal<string[] | null>(null); // of a CSV file: they may hold ends of lines
export const results = signal<Done[]>([]);
export const resultLabels = signal<Label[]>([]); // that the results are of
export const problem = signal('');
export const rowsInAll = signal<number | null>(null); // while it runs

/** Labels as typed: "name" or "name: description", no name twice. */
export function readLabels(text: string): Label[] {
  const labels = new Map<string, Label>();
  for (const line of text.split('\n')) {
    const [, name = '', description = ''] = /^([^:]*)(?::\s*(.*))?$/.exec(line.trim()) ?? [];
    if (name.trim() !== '') labels.set(name.trim(), description ? { name: name.trim(), description } : { name: name.trim() });
  }
  return [...labels.values()];
}

export const labels = computed(() => readLabels(labelText.value));
export const rows = computed(() => (fileRows.value ?? rowText.value.split('\n')).filter((row) => row.trim() !== ''));

effect(() => {
  const text = JSON.stringify({ labels: labelText.value, rows: rowText.value });
  try {
    if (text.length <= maxKept) sessionStorage.setItem(stored, text);
  } catch {
    // It then lasts until a reload.
  }
});

let controller: AbortController | undefined;

export function halt(): void {
  controller?.abort();
}

async function classify(queued: string[], wanted: Label[], signal: AbortSignal): Promise<void> {
  for (let i = 0; i < queued.length; i += batch) {
    const part = queued.slice(i, i + batch);
    const read = await classifyRows(model.value, part, wanted, signal);
    if (!read) {
      problem.value = texts.classify.badAnswer;
      return;
    }
    results.value = [...results.value, ...part.map((text, k) => ({ text, ...read[k]! }))];
  }
}

/** Classifies all rows, batch by batch. */
export async function run(): Promise<void> {
  const [queued, wanted] = [rows.value, labels.value];
  problem.value = wanted.length < 2 ? texts.classify.needLabels : queued.length === 0 ? texts.classify.needRows : '';
  if (problem.value !== '') return;
  controller = new AbortController();
  rowsInAll.value = queued.length;
  results.value = [];
  resultLabels.value = wanted;
  try {
    await classify(queued, wanted, controller.signal);
  } catch (error) {
    if (error instanceof RequestError) problem.value = `${error.problem.text} ${error.problem.advice}`;
    else if (!(error instanceof DOMException)) throw error;
  } finally {
    rowsInAll.value = null;
  }
}
