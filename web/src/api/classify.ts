// /v1/classify: rows and labels in, a probability for each label of each row out.
import { postJson } from './client';

export interface Label {
  name: string;
  description?: string;
}

/** What one row came to: its labels, the likeliest first, and the probability that the model begins any of them. */
export interface Classified {
  scores: { label: string; probability: number }[];
  mass: number;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** One entry of the answer; null where it is not as docs/server-api.md has it. */
export function readClassified(entry: unknown): Classified | null {
  if (!isObject(entry) || !Array.isArray(entry['probabilities']) || typeof entry['label_mass'] !== 'number') return null;
  const scores = entry['probabilities'].map((item: unknown) => isObject(item)
    ? { label: String(item['label']), probability: Number(item['probability']) } : { label: '', probability: NaN });
  if (scores.length === 0 || scores.some((s) => !Number.isFinite(s.probability))) return null;
  return { scores: scores.sort((a, b) => b.probability - a.probability), mass: entry['label_mass'] };
}

/** Some rows, in their order; null where the answer is not understood. */
export async function classifyRows(model: string, rows: string[], labels: Label[], signal: AbortSignal): Promise<Classified[] | null> {
  const answer = await postJson<Record<string, unknown>>('v1/classify', { model, input: rows, labels }, signal);
  const list = answer['data'];
  if (!Array.isArray(list) || list.length !== rows.length) return null;
  const read = list.map(readClassified);
  return read.every((row) => row !== null) ? read : null;
}
