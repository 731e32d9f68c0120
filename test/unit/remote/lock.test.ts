import { expect, it } from 'vitest'
import { lockLeaseMs } from '../../../src/model/limits.ts'
import { openWebdavRemote } from '../../../src/remote/webdav-remote.ts'
import { createMemoryDav } from '../../support/memory-dav.ts'
import { createSeededRandom, createVirtualClock } from '../../support/virtual-clock.ts'

function open(instances: number) {
  const server = createMemoryDav()
  const clock = createVirtualClock()
  const random = createSeededRandom(2)
  const remotes = Array.from({ length: instances }, () => {
    const id = random.uuid()
    return openWebdavRemote({
      transport: server.connect(),
      clock,
      random,
      instance: () => ({ id, name: 'x' }),
    })
  })
  const tokens = () => [...server.files.keys()].filter((name) => name.startsWith('dav/store/lock/'))
  return { server, clock, remotes, tokens }
}

it('of many who ask at once one gets the lock', async () => {
  const { clock, remotes, tokens } = open(6)
  await clock.run(remotes[0]!.createStore())
  const held = await clock.run(Promise.all(remotes.map((remote) => remote.acquireLock({ wait: false }))))
  expect(held.filter((each) => each !== null)).toHaveLength(1)
  expect(tokens()).toHaveLength(1)
})

it('a holder that renews is waited for and not broken; one that is silent for a whole lease is', async () => {
  const { clock, remotes } = open(2)
  const [one, two] = remotes as [(typeof remotes)[0], (typeof remotes)[0]]
  await clock.run(one!.createStore())
  const held = await clock.run(one!.acquireLock({ wait: false }))
  const broken: string[] = []
  let waits = 0
  const options = {
    wait: true,
    onBroken: (name: string) => void broken.push(name),
    onWaiting: () => void waits++,
  }
  let isOver = false
  const renewing = (async () => {
    while (!isOver) {
      await clock.sleep(lockLeaseMs / 3)
      if (!isOver) expect(await held!.renew()).toBe(true)
    }
  })()
  expect(await clock.run(two!.acquireLock(options))).toBeNull()
  isOver = true
  await clock.run(renewing)
  expect(broken).toEqual([])
  expect(waits).toBeGreaterThan(5)
  const taken = await clock.run(two!.acquireLock(options))
  expect(taken).not.toBeNull()
  expect(broken).toHaveLength(1)
  expect(await clock.run(held!.renew())).toBe(false)
  expect(await clock.run(taken!.renew())).toBe(true)
  await clock.run(held!.release())
  expect(await clock.run(one!.lockState())).toMatchObject({ kind: 'held' })
})

it('a caller who never waits breaks a dead lock after having seen it for a lease', async () => {
  const { clock, remotes } = open(2)
  await clock.run(remotes[0]!.createStore())
  await clock.run(remotes[0]!.acquireLock({ wait: false }))
  expect(await clock.run(remotes[1]!.acquireLock({ wait: false }))).toBeNull()
  await clock.run(clock.sleep(lockLeaseMs))
  expect(await clock.run(remotes[1]!.acquireLock({ wait: false }))).not.toBeNull()
})

it('of several tokens the smallest name stays; a missing token is made anew', async () => {
  const { server, clock, remotes, tokens } = open(1)
  await clock.run(remotes[0]!.createStore())
  for (const name of ['free', `held-01900000-0000-7000-8000-00000000000a-${'0'.repeat(24)}`])
    server.files.set(`dav/store/lock/${name}`, new Uint8Array())
  const held = await clock.run(remotes[0]!.acquireLock({ wait: false }))
  expect(held).not.toBeNull()
  expect(tokens()).toHaveLength(1)
  server.files.delete(tokens()[0]!)
  expect(await clock.run(held!.renew())).toBe(false)
  expect(await clock.run(remotes[0]!.acquireLock({ wait: false }))).not.toBeNull()
})
