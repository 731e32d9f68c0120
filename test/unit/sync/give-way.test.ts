import { expect, it } from 'vitest'
import type { LockState } from '../../../src/remote/remote.ts'
import type { SyncContext } from '../../../src/sync/context.ts'
import { giveWay } from '../../../src/sync/take-turn.ts'
import { createSeededRandom, createVirtualClock } from '../../support/virtual-clock.ts'

const free: LockState = { kind: 'free' }

/** Lets an instance give way while the lock is, look after look, in these states, and free from then on. */
async function givingWay(...states: LockState[]) {
  const clock = createVirtualClock()
  let looks = 0
  const context = {
    clock,
    random: createSeededRandom(1),
    instance: () => ({ id: 'me', name: 'me', incarnation: '1' }),
    remote: { lockState: async () => states[looks++] ?? free },
  } as unknown as SyncContext
  const met = await clock.run(giveWay(context, new AbortController().signal))
  return { met, looks, waitedMs: clock.monotonic() }
}

const turnOf = (instance: string, name = instance): LockState => ({ kind: 'held', name, instance })

it('a free lock costs one look and no time', async () => {
  expect(await givingWay()).toEqual({ met: false, looks: 1, waitedMs: 0 })
  expect(await givingWay(turnOf('me'))).toMatchObject({ met: false, looks: 1 })
})

it('somebody else that has its turn is waited for, and those that queue behind it', async () => {
  const queue = await givingWay(turnOf('a'), turnOf('a'), free, turnOf('b'), turnOf('b'), free)
  expect(queue).toMatchObject({ met: true, looks: 7 })
})

it('a queue without an end is let go first for a while only', async () => {
  const endless = Array.from({ length: 1_000 }, (_, turn) => turnOf(`other ${turn}`))
  const { met, waitedMs } = await givingWay(...endless)
  expect(met).toBe(true)
  expect(waitedMs).toBeLessThan(3_000)
})
