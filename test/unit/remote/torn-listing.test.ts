import { expect, it } from 'vitest'
import { lookAtHeads } from '../../../src/remote/head.ts'
import type { Transport } from '../../../src/remote/transport.ts'
import { createMemoryDav } from '../../support/memory-dav.ts'
import { createSeededRandom, createVirtualClock } from '../../support/virtual-clock.ts'

/** Looks at `version/` on a server whose first listings break off in the middle. */
async function lookThrough(torn: number) {
  const [clock, random] = [createVirtualClock(), createSeededRandom(2)]
  const inner = createMemoryDav().connect()
  await clock.run((await inner.request({ method: 'MKCOL', name: 'version/' })).discard())
  let asked = 0
  const transport: Transport = {
    ...inner,
    async request(request) {
      const response = await inner.request(request)
      if (request.method !== 'PROPFIND' || asked++ >= torn) return response
      const chunks: Uint8Array[] = []
      for await (const chunk of response.body) chunks.push(chunk)
      const whole = Buffer.concat(chunks)
      const body = (async function* () {
        yield whole.subarray(0, whole.length - 20)
      })()
      return { ...response, body }
    },
  }
  const context = { transport, clock, random, onNotice: () => {}, onFork: () => {} }
  return { look: await clock.run(lookAtHeads(context)), asked }
}

it('a listing that breaks off in the middle is asked for again', async () => {
  expect(await lookThrough(2)).toMatchObject({ look: { kind: 'names', heads: [] }, asked: 3 })
})

it('one that always breaks off is never believed', async () => {
  await expect(lookThrough(100)).rejects.toMatchObject({ code: 'remote-unexpected' })
})
