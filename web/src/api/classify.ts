// /v1/classify: rows and labels in, a probability for each label of each row out.
import { postJson } from './client';

export interface Label {
  name: string;
  description?: string;
}

/** One row's labels, the likeliest first. */
export type Scores = { label: string; probability: number }[];

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** The scores of one entry of the answer: a list of {label, probability}, numbers in the labels' order, or a map. */
export function readScores(entry: unknown, labels: Label[]): Scores | null {
  if (!isObject(entry)) return null;
  const from = entry['probabilities'] ?? entry['probs'] ?? entry['scores'];
  let scores: Scores = [];
  if (Array.isArray(from)) {
    scores = from.map((item: unknown, i) => isObject(item)
      ? { label: String(item['label'] ?? item['name']), probability: Number(item['probability'] ?? item['score'] ?? item['confidence']) }
      : { label: labels[i]?.name ?? '', probability: Number(item) });
  } else if (isObject(from)) {
    scores = Object.entries(from).map(([label, probability]) => ({ label, probability: Number(probability) }));
  } else if (typeof entry['label'] === 'string') {
    scores = [{ label: entry['label'], probability: Number(entry['confidence'] ?? entry['probability'] ?? entry['score']) }];
  }
  if (scores.length === 0 || scores.some((s) => !Number.isFinite(s.probability))) return null;
  return scores.sort((a, b) => b.probability - a.probability);
}

/** The scores of some rows, in their order; null where the answer is not understood. */
export async function classifyRows(model: string, rows: string[], labels: Label[], signal: AbortSignal): Promise<Scores[] | null> {
  const sent = labels.some((label) => label.description) ? labels : labels.map((label) => label.name);
  const answer = await postJson<Record<string, unknown>>('v1/classify', { model, input: rows, labels: sent, top_k: labels.length }, signal);
  const list = answer['data'] ?? answer['results'];
  if (!Array.isArray(list) || list.length !== rows.length) return null;
  const scores = list.map((entry) => readScores(entry, labels));
  return scores.every((s) => s !== null) ? scores : null;
}
