/**
 * Fairness among racing committers. The lock makes nothing safe; it only lets an instance that keeps losing have its
 * turn, while the others wait for at most one lease.
 */
import { lockLeaseMs } from '../model/limits.ts'
import type { SyncContext } from './context.ts'

/** Losing this often in a row entitles to the lock. */
const lossesBeforeLock = 5

export interface Turn {
  end(): Promise<void>
}

/** After a lost commit: takes the lock when it is due, else waits while somebody else has it. */
export async function takeTurn(
  context: SyncContext,
  options: { readonly lost: number; readonly signal: AbortSignal },
): Promise<Turn | null> {
  const { remote, clock } = context
  if (options.lost >= lossesBeforeLock) {
    const held = await remote.acquireLock({
      wait: true,
      signal: options.signal,
      onBroken: (name) => context.emit({ type: 'lock.broken', data: { name } }),
      onWaiting: () => context.emit({ type: 'lock.waiting', data: {} }),
    })
    return held === null ? null : { end: () => held.release() }
  }
  const until = clock.monotonic() + lockLeaseMs
  let name: string | null = null
  while (clock.monotonic() < until) {
    const state = await remote.lockState()
    if (state.kind === 'free' || state.instance === context.instance().id) return null
    // A renewed or handed-over lock is another turn: this one has waited for the one that it met.
    if (name !== null && state.name !== name) return null
    name = state.name
    await clock.sleep(50 + context.random.fraction() * 100, options.signal)
  }
  return null
}
