import { expect, it } from 'vitest'
import type { HeldLock, LockState, Remote } from '../../../src/remote/remote.ts'
import { withLockNotes } from '../../../src/sync/with-lock-notes.ts'

const held: LockState = { kind: 'held', name: 'l-1', instance: 'other' }

/** A remote of which only the lock is asked, and its url. */
function aRemote(lock: { readonly state?: LockState; readonly acquired?: HeldLock | null }) {
  const waiting: LockState[] = []
  const remote = {
    url: 'https://dav.example.org',
    lockState: async () => lock.state ?? { kind: 'free' },
    acquireLock: async (options: Parameters<Remote['acquireLock']>[0]) => {
      if (lock.state !== undefined) options.onWaiting?.(lock.state)
      return lock.acquired ?? null
    },
  } as unknown as Remote
  return { ...withLockNotes(remote, () => 'me'), waiting }
}

it('before anything was seen nobody holds it, and the rest of the remote is as it was', () => {
  const { remote, lock } = aRemote({})
  expect(lock()).toEqual({ held: false, by: null })
  expect(remote.url).toBe('https://dav.example.org')
})

it('who is seen with it is remembered', async () => {
  const { remote, lock } = aRemote({ state: held })
  expect(await remote.lockState()).toEqual(held)
  expect(lock()).toEqual({ held: true, by: 'other' })
})

it('who is waited for is remembered, and told on', async () => {
  const { remote, lock, waiting } = aRemote({ state: held })
  expect(await remote.acquireLock({ wait: true, onWaiting: (state) => void waiting.push(state) })).toBeNull()
  expect(lock()).toEqual({ held: true, by: 'other' })
  expect(waiting).toEqual([held])
})

it('while it is held here it is ours, and nobody’s after its release', async () => {
  let released = 0
  const acquired = { renew: async () => false, release: async () => void released++ }
  const { remote, lock } = aRemote({ acquired })
  const mine = await remote.acquireLock({ wait: false })
  expect(lock()).toEqual({ held: true, by: 'me' })
  expect(await mine?.renew()).toBe(false)
  await mine?.release()
  expect(lock()).toEqual({ held: false, by: null })
  expect(released).toBe(1)
})
