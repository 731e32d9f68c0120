/** Each fault of the simulated server by itself: what the client meets, and what has happened in the store. */
import { describe, expect, it } from 'vitest'
import type { TransportRequest } from '../../../src/remote/transport.ts'
import { openWebdavRemote } from '../../../src/remote/webdav-remote.ts'
import { drawFaults, type FaultKind, faultKinds, faultRules, noFaults } from '../../simulator/faults.ts'
import { profiles, type ServerProfile } from '../../simulator/profiles.ts'
import { createSimulatedServer, type Effect, type Faults } from '../../simulator/server.ts'
import { collectingSink, sha256Of, sourceOf } from '../../support/changesets.ts'
import { createSeededRandom, createVirtualClock } from '../../support/virtual-clock.ts'

const text = (value: string) => new TextEncoder().encode(value)

function open(profile: ServerProfile = profiles.ideal, latencyMs = { min: 0, max: 0 }) {
  const clock = createVirtualClock()
  const random = createSeededRandom(2)
  const effects: Effect[] = []
  const server = createSimulatedServer({
    profile,
    clock,
    random,
    latencyMs,
    onEffect: (effect) => effects.push(effect),
  })
  const transport = server.connect({ name: 'one', clock, timeoutMs: 10_000 })
  /** The status and the body as text, or the code of the error. */
  const ask = async (request: TransportRequest): Promise<string> => {
    try {
      const response = await transport.request(request)
      const chunks: Uint8Array[] = []
      for await (const chunk of response.body) chunks.push(chunk)
      return `${response.status} ${Buffer.concat(chunks).toString('utf8')}`.trim()
    } catch (error) {
      const { code, details } = error as { code: string; details: { code?: string } }
      return [code, details.code].filter((part) => part !== undefined).join(' ')
    }
  }
  const read = (name: string) => {
    const bytes = server.read(name)
    return bytes === null ? null : new TextDecoder().decode(bytes)
  }
  return { server, clock, random, effects, transport, ask, read }
}

const get: TransportRequest = { method: 'GET', name: 'a' }
const head: TransportRequest = { method: 'HEAD', name: 'a' }
const put: TransportRequest = { method: 'PUT', name: 'a', body: text('abcdefgh') }
const remove: TransportRequest = { method: 'DELETE', name: 'a' }
const list: TransportRequest = { method: 'PROPFIND', name: '', depth: '1' }
const move: TransportRequest = { method: 'MOVE', name: 'a', destination: 'b', overwrite: false }
const timeout = 'remote-unreachable UND_ERR_HEADERS_TIMEOUT'
const page = /^200 <!doctype html>/

/** What a client meets when the fault is certain, over a store with the file `a`, and whether `a` is as it was. */
const table: readonly [FaultKind, TransportRequest, RegExp | string, 'kept' | 'changed'][] = [
  ['lostRequest', put, /^remote-unreachable (ECONNRESET|UND_ERR_SOCKET)$/, 'kept'],
  ['lostReply', put, /^remote-unreachable (UND_ERR_SOCKET|UND_ERR_HEADERS_TIMEOUT)$/, 'changed'],
  ['late', put, /^remote-unreachable (ECONNRESET|UND_ERR_HEADERS_TIMEOUT)$/, 'kept'],
  ['hang', put, timeout, 'kept'],
  ['cutUpload', put, 'remote-unreachable UND_ERR_SOCKET', 'kept'],
  ['cutRead', get, 'remote-unreachable UND_ERR_SOCKET', 'kept'],
  ['shortRead', get, /^200 (1(2(34?)?)?)?$/, 'kept'],
  ['cutListing', list, /^207 .*(?<!multistatus>)$/s, 'kept'],
  ['failedEntry', list, /<D:status>HTTP\/1.1 (403|404|423|500) /, 'kept'],
  ['oddStatus', put, /^(400|403|404|405|409|413|423|429|500|502|503|504|507)$/, 'kept'],
  ['falseFailure', put, /^(500|502|504)$/, 'changed'],
  ['falseMissing', get, '404', 'kept'],
  ['falseSuccess', move, '201', 'kept'],
  ['unauthorized', get, '401', 'kept'],
  ['page', put, page, 'kept'],
  ['emptyAnswer', remove, '204', 'kept'],
  ['redirect', put, 'remote-unexpected', 'kept'],
  ['lostWrite', put, '204', 'kept'],
]

describe('a fault that is certain', () => {
  it.each(table)('%s', async (kind, request, met, outcome) => {
    const { server, clock, ask, read } = open()
    await clock.run(
      (async () => {
        server.write('a', text('1234'))
        server.setFaults({ [kind]: 1 })
        const answer = await ask(request)
        if (typeof met === 'string') expect(answer).toBe(met)
        else expect(answer).toMatch(met)
        expect(read('a')).toBe(outcome === 'kept' ? '1234' : 'abcdefgh')
        expect(server.counts.get(kind)).toBeGreaterThan(0)
      })(),
    )
  })

  it('redirect is told as the real transport tells it', async () => {
    const { server, clock, transport } = open()
    server.setFaults({ redirect: 1 })
    await expect(clock.run(transport.request(put))).rejects.toMatchObject({
      code: 'remote-unexpected',
      action: 'retry',
      details: { status: 302, location: 'http://login.test/sign-in' },
    })
  })

  it('hang rejects after the timeout by the clock of the client', async () => {
    const { server, clock } = open()
    const slow = { ...clock, sleep: (ms: number, signal?: AbortSignal) => clock.sleep(2 * ms, signal) }
    const transport = server.connect({ name: 'slow', clock: slow, timeoutMs: 10_000 })
    server.setFaults({ hang: 1 })
    await expect(clock.run(transport.request(get))).rejects.toMatchObject({
      message: 'GET http://dav.test/dav/store/a failed: no answer in time (UND_ERR_HEADERS_TIMEOUT)',
    })
    expect(clock.monotonic()).toBe(20_000)
  })
})

describe('what happens when nobody waits any more', () => {
  it('a late request has its effect some time after the client gave up, and only once', async () => {
    const { server, clock, effects, ask, read } = open()
    await clock.run(
      (async () => {
        server.setFaults({ late: 1 })
        expect(await ask(put)).toMatch(/^remote-unreachable/)
        expect(server.astray()).toBe(1)
        await clock.sleep(700_000)
        expect(server.astray()).toBe(0)
        expect(read('a')).toBe('abcdefgh')
        expect(effects).toHaveLength(1)
      })(),
    )
  })

  it('a repeated request is executed twice', async () => {
    const { server, clock, effects, ask } = open()
    await clock.run(
      (async () => {
        server.setFaults({ duplicate: 1 })
        expect(await ask(put)).toBe('201')
        expect(effects).toHaveLength(1)
        await clock.sleep(700_000)
        expect(effects.map(({ kind, name }) => `${kind} ${name}`)).toEqual(['written a', 'written a'])
      })(),
    )
  })

  it('settling executes what is under way at once, or drops it, and never twice', async () => {
    for (const how of ['run', 'drop'] as const) {
      const { server, clock, effects, ask, read } = open()
      await clock.run(
        (async () => {
          server.setFaults({ late: 1 })
          await ask(put)
          server.settle(how)
          expect(server.astray()).toBe(0)
          expect(read('a')).toBe(how === 'run' ? 'abcdefgh' : null)
          await clock.sleep(700_000)
          expect(effects).toHaveLength(how === 'run' ? 1 : 0)
        })(),
      )
    }
  })

  it('a client gives up a slow effect at its timeout, and the effect comes all the same', async () => {
    const { server, clock, ask, read } = open()
    await clock.run(
      (async () => {
        server.write('a', text('x'))
        server.setFaults({ slowEffect: 1 })
        let seen = ''
        for (let round = 0; seen !== timeout; round++) {
          expect(round).toBeLessThan(20)
          server.write('a', text('x'))
          seen = await ask(remove)
        }
        expect(read('a')).toBe('x')
        expect(server.counts.get('given up')).toBe(1)
        await clock.sleep(60_000)
        expect(read('a')).toBeNull()
      })(),
    )
  })

  it('a slow upload is waited for beyond the timeout, as its bytes move', async () => {
    const { server, clock, ask } = open()
    server.setFaults({ slowUpload: 1 })
    await clock.run(
      (async () => {
        for (let round = 0; round < 10; round++) expect(await ask(put)).toMatch(/^20[14]$/)
      })(),
    )
    expect(clock.monotonic()).toBeGreaterThan(100_000)
  })

  it('an aborted request rejects with the reason, whether it has arrived or not', async () => {
    for (const faults of [{ delay: 1 }, { slowEffect: 1 }, { hang: 1 }]) {
      const { server, clock, transport } = open(profiles.apache, { min: 5, max: 9 })
      server.setFaults(faults)
      const controller = new AbortController()
      const reason = new Error('stopped')
      await clock.run(
        (async () => {
          const asked = transport.request({ ...put, method: 'MKCOL', name: 'x/', signal: controller.signal })
          const caught = asked.catch((error: unknown) => error)
          await clock.sleep(10)
          controller.abort(reason)
          expect(await caught).toBe(reason)
          await clock.sleep(100_000)
        })(),
      )
    }
  })
})

describe('a body that its source does not finish', () => {
  it.each([
    ['ideal', null],
    ['rclone', 'abcd'],
  ] as const)('passes the error of the source through; on %s the name holds %s', async (name, left) => {
    const { clock, transport, read } = open(profiles[name])
    const failure = new Error('the disk is gone')
    const body = {
      size: 8,
      open: async function* () {
        yield text('abcd')
        throw failure
      },
    }
    await clock.run(
      (async () => {
        await expect(transport.request({ ...put, body })).rejects.toBe(failure)
        await clock.sleep(1)
        expect(read('a')).toBe(left)
      })(),
    )
  })

  it('of another length than promised is a broken connection', async () => {
    const { clock, transport, read } = open()
    const body = { ...sourceOf(text('abcd')), size: 8 }
    await expect(clock.run(transport.request({ ...put, body }))).rejects.toMatchObject({
      code: 'remote-unreachable',
      details: { code: 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH' },
    })
    expect(read('a')).toBeNull()
  })
})

describe('a server that dies', () => {
  it.each([
    ['ideal', '1234'],
    ['sabre', 'abcd'],
  ] as const)(
    'in the middle of an upload cuts the connection; on %s the name holds %s',
    async (name, left) => {
      const { server, clock, ask, read } = open(profiles[name])
      await clock.run(
        (async () => {
          server.write('a', text('1234'))
          server.setFaults({ slowUpload: 1 })
          const asked = ask(put)
          await clock.sleep(0)
          server.restart()
          expect(await asked).toBe('remote-unreachable UND_ERR_SOCKET')
          expect(await ask(get)).toBe('remote-unreachable ECONNREFUSED')
          await clock.sleep(100_000)
          expect(read('a')).toBe(left)
        })(),
      )
    },
  )

  it('in the middle of a MOVE that copies leaves both names', async () => {
    const { server, clock, ask } = open(profiles.gateway)
    await clock.run(
      (async () => {
        server.write('a', text('x'))
        const asked = ask(move)
        for (let waits = 0; server.read('b') === null; waits++) {
          expect(waits).toBeLessThan(1_000)
          await clock.sleep(1)
        }
        server.restart()
        expect(await asked).toBe('remote-unreachable UND_ERR_SOCKET')
        await clock.sleep(10_000)
        expect(server.names()).toEqual(['a', 'b'])
      })(),
    )
  })

  it.each([
    ['refused', 'remote-unreachable ECONNREFUSED'],
    ['busy', '503'],
    ['bad-gateway', /^502 <!doctype/],
    ['missing', /^404 <!doctype/],
    ['page', page],
    ['silent', timeout],
  ] as const)('is %s for everybody, until it is healed or the time is over', async (kind, met) => {
    const { server, clock, ask } = open()
    await clock.run(
      (async () => {
        server.write('a', text('x'))
        const answers = async () => expect(await ask(get)).toMatch(met)
        server.startOutage(kind, 60_000)
        await answers()
        await answers()
        await clock.sleep(60_000)
        expect(await ask(get)).toBe('200 x')
        server.startOutage(kind, 60_000)
        await answers()
        server.setFaults({})
        expect(await ask(get)).toBe('200 x')
      })(),
    )
  })
})

describe('what a reader meets', () => {
  it('a cache keeps a listing and a 200 for a while', async () => {
    const { server, clock, ask } = open()
    await clock.run(
      (async () => {
        const set = (faults: Partial<Faults>) => server.setFaults(faults)
        server.write('a', text('x'))
        set({ staleListing: 1, staleHead: 1 })
        expect(await ask(list)).toContain('/dav/store/a<')
        expect(await ask(head)).toBe('200')
        server.remove('a')
        expect(await ask(list)).toContain('/dav/store/a<')
        expect(await ask(head)).toBe('200')
        await clock.sleep(60_000)
        expect(await ask(list)).not.toContain('/dav/store/a<')
        expect(await ask(head)).toBe('404')
      })(),
    )
  })

  it('a listing that slides over a rename shows both names, or none', async () => {
    const seen = new Set<string>()
    for (let round = 0; round < 40; round++) {
      const { server, clock, ask, random } = open()
      for (let skipped = 0; skipped < round; skipped++) random.fraction()
      await clock.run(
        (async () => {
          server.write('a', text('x'))
          server.setFaults({ slidingListing: 1 })
          const listed = ask(list)
          await clock.sleep(0)
          expect(await ask(move)).toBe('201')
          const answer = await listed
          seen.add(['a', 'b'].filter((name) => answer.includes(`/dav/store/${name}<`)).join(''))
        })(),
      )
    }
    expect([...seen].sort()).toEqual(['', 'ab'])
  })

  it('the server that lies about an upload is found out when the content is read', async () => {
    const { server, clock, random, transport } = open()
    const remote = openWebdavRemote({
      transport,
      clock,
      random,
      instance: () => ({ id: random.uuid(), name: 'x' }),
    })
    const bytes = text('precious')
    const hash = sha256Of(bytes)
    await clock.run(
      (async () => {
        await remote.createStore()
        server.write(`${hash.slice(0, 2)}/x`, text(''))
        server.setFaults({ lostWrite: 1 })
        const name = await remote.writeContent(hash, sourceOf(bytes))
        server.setFaults({})
        expect(await remote.hasContent(name, bytes.length)).toBe(false)
        await expect(
          remote.readContent(name, { hash, size: bytes.length }, collectingSink()),
        ).rejects.toMatchObject({ code: 'remote-damaged' })
      })(),
    )
  })
})

describe('the state of the server', () => {
  it('a quota is 507 and a body limit is 413 or a cut connection, both without any effect', async () => {
    const { server, clock, ask } = open()
    await clock.run(
      (async () => {
        server.setFaults({ quotaBytes: 7 })
        expect(await ask(put)).toBe('507')
        expect(await ask({ ...put, body: text('1234567') })).toBe('201')
        expect(await ask({ ...put, name: 'b', body: text('1') })).toBe('507')
        server.setFaults({ bodyBytesMax: 7 })
        const seen = new Set<string>()
        for (let round = 0; round < 30; round++) seen.add(await ask(put))
        expect([...seen].sort()).toEqual(['413', 'remote-unreachable ECONNRESET'])
        expect(server.names()).toEqual(['a'])
        server.setFaults({})
        expect(await ask(put)).toBe('204')
      })(),
    )
  })

  it('its Date and its times may be off', async () => {
    const { server, clock, ask, transport } = open()
    server.setFaults({ dateSkewMs: 86_400_000 })
    await clock.run(ask(put))
    const { headers } = await clock.run(transport.request(get))
    const day = new Date(clock.now() + 86_400_000).toUTCString()
    expect([headers['date'], headers['last-modified']]).toEqual([day, day])
  })

  it('can be taken, given back and wiped, without the changes made since', async () => {
    const { server, clock, ask } = open()
    await clock.run(
      (async () => {
        await ask({ method: 'MKCOL', name: 'folder/' })
        await ask({ ...put, name: 'folder/a' })
        const before = server.snapshot()
        await ask({ ...put, name: 'folder/a', body: text('changed') })
        await ask({ ...put, name: 'b' })
        server.restore(before)
        expect(server.names()).toEqual(['folder/a'])
        expect(await ask({ ...get, name: 'folder/a' })).toBe('200 abcdefgh')
        server.wipe()
        expect(server.names()).toEqual([])
        expect(await ask(list)).toMatch(/^207 /)
        expect(before.size).toBe(2)
      })(),
    )
  })

  it('counts answers by method and status, and tells each change with who made it', async () => {
    const { server, clock, ask, effects } = open()
    await clock.run(
      (async () => {
        await ask(put)
        await ask(put)
        await ask(move)
        await ask({ method: 'DELETE', name: 'b' })
        await ask({ method: 'MKCOL', name: 'c/' })
      })(),
    )
    expect(Object.fromEntries(server.counts)).toEqual({
      'PUT 201': 1,
      'PUT 204': 1,
      'MOVE 201': 1,
      'DELETE 204': 1,
      'MKCOL 201': 1,
    })
    expect(effects.map(({ kind, name, target, client }) => [kind, name, target, client])).toEqual([
      ['written', 'a', null, 'one'],
      ['written', 'a', null, 'one'],
      ['renamed', 'a', 'b', 'one'],
      ['removed', 'b', null, 'one'],
      ['made', 'c', null, 'one'],
    ])
  })
})

describe('a swarm of faults', () => {
  it('is the same for the same seed, differs between seeds, and stays inside the model unless asked', () => {
    const draw = (seed: number) => drawFaults(createSeededRandom(seed))
    expect(draw(5)).toEqual(draw(5))
    const sizes = new Set<number>()
    const drawn = new Set<string>()
    for (let seed = 0; seed < 300; seed++) {
      const faults = draw(seed)
      sizes.add(Object.keys(faults).length)
      for (const [kind, probability] of Object.entries(faults)) {
        drawn.add(kind)
        expect(probability).toBeLessThanOrEqual(faultRules[kind as FaultKind].most)
      }
    }
    expect(sizes.size).toBeGreaterThan(10)
    expect([...drawn].sort()).toEqual(faultKinds.filter((kind) => faultRules[kind].model === 'inside').sort())
    const only = drawFaults(createSeededRandom(1), { kinds: ['late', 'lostWrite'], enabled: 1 })
    expect(Object.keys(only)).toEqual(['late', 'lostWrite'])
  })

  it('of none draws nothing from chance', async () => {
    const clock = createVirtualClock()
    const random = { ...createSeededRandom(1), fraction: () => expect.fail('nothing is left to chance') }
    const server = createSimulatedServer({
      profile: profiles.ideal,
      clock,
      random,
      latencyMs: { min: 0, max: 0 },
    })
    server.setFaults(noFaults)
    const transport = server.connect({ name: 'one', clock })
    for (const request of [put, get, head, list, move]) await transport.request(request)
    expect(transport.traffic()).toMatchObject({ requests: 5, byMethod: { PUT: 1, MOVE: 1 } })
  })
})
