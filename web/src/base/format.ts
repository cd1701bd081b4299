// Figures in words.

const whole = new Intl.NumberFormat('en');

export const count = (n: number): string => whole.format(Math.round(n));

/** 0.9 -> "90 %", 0.0004 -> "0.04 %". */
export function percent(share: number): string {
  const value = share * 100;
  if (value >= 10 || value === 0) return `${Math.round(value)} %`;
  return `${value >= 1 ? value.toFixed(1) : value >= 0.01 ? value.toFixed(2) : '< 0.01'} %`;
}

export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

export function rate(perSecond: number): string {
  return perSecond >= 100 ? count(perSecond) : perSecond.toFixed(1);
}

/** Dollars with the first three digits that are not zero; answers cost millionths. */
export function dollars(value: number): string {
  if (value === 0) return '$0';
  const digits = Math.min(12, Math.max(2, 2 - Math.floor(Math.log10(value))));
  return `$${value.toFixed(digits).replace(/(\.\d\d\d*?)0+$/, '$1')}`;
}

export function bytes(n: number): string {
  if (n < 1000) return `${n} bytes`;
  return n < 1e6 ? `${(n / 1e3).toFixed(1)} kB` : `${(n / 1e6).toFixed(1)} MB`;
}

/** Today's times as a time, older ones as a date. */
export function when(ms: number, now = Date.now()): string {
  const date = new Date(ms);
  const today = new Date(now).toDateString() === date.toDateString();
  return today
    ? date.toLocaleTimeString('en', { hour: '2-digit', minute: '2-digit', hour12: false })
    : date.toLocaleDateString('en', { day: 'numeric', month: 'short', year: 'numeric' });
}

// Characters that turn or hide text around them: bidi embeddings, overrides, isolates and marks; zero-width ones
// but for the joiners, which scripts and emoji need.
const hidden = /[\u061C\u200B\u200E\u200F\u202A-\u202E\u2060-\u2064\u2066-\u206F\uFEFF]/gu;

/** Splits at characters that cannot be seen: even parts are plain text, odd ones a single such character. */
export function splitHidden(text: string): string[] {
  return text.split(new RegExp(`(${hidden.source})`, 'u'));
}

export function codePoint(character: string): string {
  return `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`;
}

/** One line for titles and names from outside: no control, bidi or zero-width characters, bounded. */
export function oneLine(text: string, limit = 120): string {
  const line = text.replace(hidden, '').replace(/[\u0000-\u001F\u007F-\u009F\s]+/gu, ' ').trim();
  const letters = [...line.slice(0, 2 * limit)];
  return letters.length > limit ? `${letters.slice(0, limit - 1).join('')}…` : letters.join('');
}

/** Tags as typed: bounded, no two the same. */
export function readTags(text: string): string[] {
  return [...new Set(text.split(',').map((tag) => oneLine(tag, 30)).filter(Boolean))].slice(0, 12);
}
