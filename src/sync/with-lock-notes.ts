/** Remembers who was last seen with the maintenance lock, so that the status can tell without a request. */
import type { LockState, Remote } from '../remote/remote.ts'

export interface LockNote {
  readonly held: boolean
  /** The holder's instance id; `null` when nobody holds it. */
  readonly by: string | null
}

export function withLockNotes(
  remote: Remote,
  self: () => string,
): { readonly remote: Remote; lock(): LockNote } {
  let note: LockNote = { held: false, by: null }
  const see = (state: LockState) => {
    note = state.kind === 'held' ? { held: true, by: state.instance } : { held: false, by: null }
  }
  const noting: Pick<Remote, 'lockState' | 'acquireLock'> = {
    async lockState() {
      const state = await remote.lockState()
      see(state)
      return state
    },
    async acquireLock(options) {
      const held = await remote.acquireLock({
        ...options,
        onWaiting: (state) => {
          see(state)
          options.onWaiting?.(state)
        },
      })
      if (held === null) return null
      note = { held: true, by: self() }
      return {
        renew: () => held.renew(),
        async release() {
          note = { held: false, by: null }
          await held.release()
        },
      }
    },
  }
  return { remote: Object.assign(Object.create(remote) as Remote, noting), lock: () => note }
}
