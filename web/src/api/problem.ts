// Errors in words: what went wrong and what to do about it.
import type { Problem } from '../data/types';
import { oneLine } from '../base/format';
import { texts } from '../texts';
import type { ErrorBody } from './types';

/** An error with its words. retryAfterMs is the server's wish, where it is worth trying again by itself. */
export class RequestError extends Error {
  constructor(
    readonly problem: Problem,
    readonly retryAfterMs?: number,
    readonly status?: number,
  ) {
    super(problem.text);
  }
}

export function gone(): RequestError {
  return new RequestError({ kind: 'gone', ...texts.problems.gone(location.host) });
}

export function cut(): RequestError {
  return new RequestError({ kind: 'cut', ...texts.problems.cut });
}

/** What an answer of status 400 and up says. */
export async function fromResponse(response: Response): Promise<RequestError> {
  let body: ErrorBody = {};
  try {
    body = ((await response.json()) as { error?: ErrorBody }).error ?? {};
  } catch {
    // No JSON: a proxy's page. The status says enough.
  }
  const seconds = Number(response.headers.get('retry-after'));
  return fromBody(response.status, body, Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 1000);
}

/** An error object that came in an answer or within a stream. */
export function fromBody(status: number, body: ErrorBody, retryAfterMs?: number): RequestError {
  const said = oneLine(body.message ?? '', 400);
  const make = (kind: Problem['kind'], words: { text: string; advice: string }, retry?: number): RequestError =>
    new RequestError({ kind, ...words }, retry, status);
  if (status === 401 || status === 403) {
    return make('key', body.code === 'invalid_api_key' || status === 401 ? texts.problems.key : texts.problems.forbidden(said));
  }
  if (body.code === 'context_length_exceeded') return make('context', texts.problems.context(said));
  if (status === 429) return make('busy', texts.problems.busy(said), retryAfterMs);
  if (status === 503) return make('starting', texts.problems.starting(said), retryAfterMs);
  if (status >= 500) return make('server', texts.problems.server(said));
  return make('refused', texts.problems.refused(said, body.param ?? ''));
}
