// What happens before the first token: waiting for a place, then reading the prompt, with the part that was cached.
import type { VNode } from 'preact';
import type { Running } from '../state/answering';
import { texts } from '../texts';

export function Progress({ entry, begun }: { entry: Running | undefined; begun: boolean }): VNode {
  if (begun) return <span class="caret" aria-hidden="true" />;
  if (entry?.waitingMs) return <p class="help pulse">{texts.log.waiting(Math.ceil(entry.waitingMs / 1000))}</p>;
  const progress = entry?.progress;
  if (!progress || progress.total === 0) return <p class="help pulse">{texts.log.thinking}</p>;
  const { total, read, cached } = progress;
  return (
    <div class="reading">
      <svg role="progressbar" aria-label={texts.log.progress} aria-valuemin={0} aria-valuemax={total} aria-valuenow={read} viewBox="0 0 100 4" preserveAspectRatio="none">
        <rect class="all" width="100" height="4" />
        <rect class="read" width={(100 * read) / total} height="4" />
        <rect class="cached" width={(100 * cached) / total} height="4" />
      </svg>
      <p class="help">{texts.log.reading(read, total)}{cached > 0 && `, ${texts.log.cached(cached)}`}</p>
    </div>
  );
}
