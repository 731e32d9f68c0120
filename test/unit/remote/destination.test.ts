/** In which form a rename names its target: what a server takes is learned from renames that were done. */
import { describe, expect, it } from 'vitest'
import { type ChainPoint, emptyStorePoint } from '../../../src/model/changeset.ts'
import { openWebdavRemote } from '../../../src/remote/webdav-remote.ts'
import { encodeChain } from '../../support/changesets.ts'
import { answerOf, createMemoryDav, type MemoryDavOptions } from '../../support/memory-dav.ts'
import { createSeededRandom, createVirtualClock } from '../../support/virtual-clock.ts'

/** A store whose next MOVEs are answered with these statuses instead of being executed. */
async function open(options: MemoryDavOptions) {
  const server = createMemoryDav(options)
  const clock = createVirtualClock()
  const random = createSeededRandom(1)
  const hiccups: number[] = []
  const forms: (string | undefined)[] = []
  const inner = server.connect()
  const remote = openWebdavRemote({
    transport: {
      ...inner,
      request: async (request) => {
        if (request.method !== 'MOVE') return inner.request(request)
        forms.push(request.destinationForm)
        const status = hiccups.shift()
        return status === undefined ? inner.request(request) : answerOf(status)
      },
    },
    clock,
    random,
    instance: () => ({ id: random.uuid(), name: 'x' }),
  })
  await clock.run(remote.createStore())
  const chain = encodeChain(3, random)
  let parent: ChainPoint = emptyStorePoint
  const commitNext = async () => {
    const { point, bytes } = chain.shift()!
    await clock.run(remote.writeChangeset(point, bytes))
    const outcome = await clock.run(remote.commit(parent, point))
    parent = point
    return outcome.kind
  }
  return { hiccups, forms, commitNext, remote, clock }
}

describe('the Destination of a rename', () => {
  it.each([400, 404])(
    'does not stay a path that the server answers with %i, after one hiccup of a proxy',
    async (status) => {
      const { hiccups, forms, commitNext } = await open({ refusesDestination: { form: 'path', status } })
      hiccups.push(502)
      expect(await commitNext()).toBe('won')
      expect(forms).toEqual(['absolute', 'path', 'absolute'])
      expect(await commitNext()).toBe('won')
      expect(forms.slice(3)).toEqual(['absolute'])
    },
  )

  it('stays a path after a rename by which the server has taken one', async () => {
    const { forms, commitNext } = await open({ refusesDestination: { form: 'absolute', status: 502 } })
    expect(await commitNext()).toBe('won')
    expect(await commitNext()).toBe('won')
    expect(forms).toEqual(['absolute', 'path', 'path'])
  })

  it('of a lock does not stay a path either', async () => {
    const { hiccups, forms, commitNext, remote, clock } = await open({
      refusesDestination: { form: 'path', status: 404 },
    })
    hiccups.push(502)
    expect(await clock.run(remote.acquireLock({ wait: false }))).toBeNull()
    expect(await clock.run(remote.acquireLock({ wait: false }))).not.toBeNull()
    expect(await commitNext()).toBe('won')
    expect(forms).toEqual(['absolute', 'path', 'absolute', 'absolute'])
  })
})
