// What the server says about itself: its model, the context, the defaults, what else it can do.
import { computed, signal } from '@preact/signals';
import { getJson } from '../api/client';
import { RequestError } from '../api/problem';
import type { ModelList, Props } from '../api/types';
import type { Problem } from '../data/types';

export const models = signal<string[]>([]);
export const chosenModel = signal<string | null>(null);
export const props = signal<Props>({});
export const serverProblem = signal<Problem | null>(null);
export const asksKey = signal(false); // the key dialog is open
export const needsKey = signal(false); // the server refused us without one, once

const listedContext = signal<number | null>(null);

export const model = computed(() => chosenModel.value ?? models.value[0] ?? props.value.model_alias ?? 'default');
export const contextSize = computed(() => props.value.default_generation_settings?.n_ctx ?? listedContext.value);

/** The default of a sampling setting as the server names it, or null. */
export function defaultOf(name: string): number | null {
  const settings = props.value.default_generation_settings;
  const other = name === 'repetition_penalty' ? 'repeat_penalty' : name;
  const value = settings?.params?.[name] ?? settings?.params?.[other] ?? settings?.[name] ?? settings?.[other];
  if (typeof value !== 'number' || (name === 'max_tokens' && value < 0)) return null; // -1: no limit
  return Number(value.toPrecision(6)); // 0.3 comes as the nearest float
}

let timer: ReturnType<typeof setTimeout> | undefined;

/** Asks again until the server answers; then once. */
export async function refreshServer(): Promise<void> {
  clearTimeout(timer);
  try {
    const list = await getJson<ModelList>('v1/models');
    models.value = (list.data ?? []).map((entry) => entry.id);
    listedContext.value = list.data?.[0]?.max_model_len ?? list.data?.[0]?.context_length ?? null;
    props.value = await getJson<Props>('props');
    serverProblem.value = null;
  } catch (error) {
    if (!(error instanceof RequestError)) return;
    if (error.problem.kind === 'key') {
      needsKey.value = true;
      asksKey.value = true;
    }
    if (error.status === 404) return; // an older server: it can do less
    serverProblem.value = error.problem;
    if (error.problem.kind !== 'key') timer = setTimeout(() => void refreshServer(), error.retryAfterMs ?? 3000);
  }
}
