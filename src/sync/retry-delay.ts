/** How long to wait before the next attempt. Pure. */

export interface RetryPolicy {
  readonly baseMs: number
  readonly maxMs: number
}

/**
 * Exponential backoff with full jitter (Brooker, "Exponential Backoff And Jitter", 2015): a random time up to
 * `base · 2^attempt`, at most `max`, and never less than what the server asked for.
 */
export function retryDelayMs(
  attempt: number,
  policy: RetryPolicy,
  fraction: number,
  retryAfterMs: number | undefined,
): number {
  const ceiling = Math.min(policy.maxMs, policy.baseMs * 2 ** Math.min(attempt, 30))
  return Math.max(retryAfterMs ?? 0, Math.round(ceiling * (0.5 + fraction / 2)))
}

/** The pause between polls: quick after activity, slowing down to `idleMs` while nothing happens. */
export function nextPollDelayMs(currentMs: number, idleMs: number): number {
  return Math.min(idleMs, Math.round(currentMs * 1.5))
}

/** The pause between polls right after something happened. */
export const activePollMs = 250
/** What each live instance adds to the shortest pause between polls. */
export const pollShareMs = 50
