/**
 * Fairness among racing committers. The lock makes nothing safe; it only lets an instance that keeps losing have its
 * turn, while the others wait for at most one lease.
 */
import { lockLeaseMs } from '../model/limits.ts'
import type { SyncContext } from './context.ts'

/** Losing this often in a row entitles to the lock. */
const lossesBeforeLock = 5
/** Between two turns of a queue, and how long a queue is let go first, in milliseconds. */
const queueGapMs = 200
const queueMaxMs = 2_000

export interface Turn {
  end(): Promise<void>
}

/** After a lost commit: takes the lock when it is due, else waits while somebody else has it. */
export async function takeTurn(
  context: SyncContext,
  options: { readonly lost: number; readonly signal: AbortSignal },
): Promise<Turn | null> {
  const { remote } = context
  if (options.lost >= lossesBeforeLock) {
    const held = await remote.acquireLock({
      wait: true,
      signal: options.signal,
      onBroken: (name) => context.emit({ type: 'lock.broken', data: { name } }),
      onWaiting: () => context.emit({ type: 'lock.waiting', data: {} }),
    })
    return held === null ? null : { end: () => held.release() }
  }
  await waitForTurn(context, options.signal)
  return null
}

/** Waits while another instance has its turn, for at most one lease. Tells whether it met one. */
async function waitForTurn(context: SyncContext, signal: AbortSignal): Promise<boolean> {
  const { remote, clock } = context
  const until = clock.monotonic() + lockLeaseMs
  let name: string | null = null
  while (clock.monotonic() < until) {
    const state = await remote.lockState()
    if (state.kind === 'free' || state.instance === context.instance().id) break
    // A renewed or handed-over lock is another turn: this one has waited for the one that it met.
    if (name !== null && state.name !== name) break
    name = state.name
    await clock.sleep(50 + context.random.fraction() * 100, signal)
  }
  return name !== null
}

/**
 * For an instance that commits in quick succession: when it meets somebody's turn, it lets those who queue behind go
 * first as well, for a while; they take the lock within moments of each other. Tells whether it met one.
 */
export async function giveWay(context: SyncContext, signal: AbortSignal): Promise<boolean> {
  const { clock } = context
  if (!(await waitForTurn(context, signal))) return false
  const until = clock.monotonic() + queueMaxMs
  while (clock.monotonic() < until) {
    await clock.sleep(queueGapMs, signal)
    if (!(await waitForTurn(context, signal))) break
  }
  return true
}
