// What this browser remembers beside conversations: looks and habits.
import { effect, signal } from '@preact/signals';

function stored<T>(name: string, fallback: T, isValid: (value: unknown) => value is T) {
  const key = `lfm-${name}`;
  let first = fallback;
  try {
    const value: unknown = JSON.parse(localStorage.getItem(key) ?? 'null');
    if (isValid(value)) first = value;
  } catch {
    // Nothing kept, or nothing may be: the fallback holds.
  }
  const state = signal(first);
  effect(() => {
    const text = JSON.stringify(state.value);
    try {
      localStorage.setItem(key, text);
    } catch {
      // It then lasts as long as this tab.
    }
  });
  return state;
}

const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean';
const isTheme = (value: unknown): value is Theme => value === 'system' || value === 'light' || value === 'dark';

export type Theme = 'system' | 'light' | 'dark';

export const theme = stored<Theme>('theme', 'system', isTheme);
export const keepTokens = stored('tokens', true, isBoolean); // record the probability of each token
export const sidebarOpen = stored('sidebar', matchMedia('(min-width: 900px)').matches, isBoolean);
export const panelOpen = stored('panel', false, isBoolean);

effect(() => {
  if (theme.value === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme.value;
});
