import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { DavitError } from '../../../src/model/errors.ts'
import { parseProbeFolder, probeFolder } from '../../../src/remote/layout.ts'
import type { ProbeEffort } from '../../../src/remote/probe/effort.ts'
import type { FindingLevel } from '../../../src/remote/probe/finding.ts'
import { judgeServer } from '../../../src/remote/probe/findings.ts'
import { type ProbeOptions, type ProbeReport, probeServer } from '../../../src/remote/probe/probe-server.ts'
import type { Transport, TransportRequest, TransportResponse } from '../../../src/remote/transport.ts'
import { withCopyingMove } from '../../support/faulty-transport.ts'
import { answerOf, bodyOf, createMemoryDav, type MemoryDav } from '../../support/memory-dav.ts'
import { createSeededRandom, createVirtualClock, type VirtualClock } from '../../support/virtual-clock.ts'

const effort: Partial<ProbeEffort> = {
  raceRounds: 4,
  raceMovers: 4,
  visibilityRounds: 2,
  replaceRounds: 2,
  bodyBytesMax: 2 * 1024 * 1024,
  pathCharsMax: 300,
  latencySamples: 4,
}
const machine = 'abcdef0123456789'
const owner = { tag: `${machine}-10-100`, isGone: () => null }

type Wrap = (transport: Transport, clock: VirtualClock) => Transport

/** Probes a server in memory; `wrap` stands between it and every client. */
async function probe(
  dav: MemoryDav,
  wrap: Wrap = (transport) => transport,
  options: Partial<ProbeOptions> = {},
): Promise<ProbeReport> {
  const clock = createVirtualClock()
  const random = createSeededRandom(11)
  const connect = (above: number) => wrap(dav.connect(above), clock)
  return clock.run(probeServer({ connect, clock, random, owner, effort, ...options }))
}

/** Changes requests or answers; what it leaves alone passes. */
function between(
  change: (
    request: TransportRequest,
    pass: (changed?: TransportRequest) => Promise<TransportResponse>,
  ) => Promise<TransportResponse>,
): Wrap {
  return (transport) => ({
    ...transport,
    request: (request) => change(request, (changed = request) => transport.request(changed)),
  })
}

function levelOf({ facts }: ProbeReport, id: string): FindingLevel | undefined {
  return judgeServer(facts).find((finding) => finding.id === id)?.level
}

function worst({ facts }: ProbeReport): string[] {
  return judgeServer(facts)
    .filter(({ level }) => level === 'missing' || level === 'but')
    .map(({ id, level }) => `${id}: ${level}`)
}

function snapshot({ files, folders }: MemoryDav): string[] {
  return [...files.keys(), ...folders].sort()
}

describe('a probe', () => {
  it('finds a plain server safe, and leaves nothing behind', async () => {
    const dav = createMemoryDav()
    const before = snapshot(dav)
    const report = await probe(dav)
    expect(report.facts.failures).toEqual({})
    expect(worst(report)).toEqual([])
    expect(report.facts.rename).toMatchObject({
      rounds: 4,
      one: 4,
      several: 0,
      lost: 0,
      idle: 0,
      loserStatuses: [404],
    })
    expect([report.left, report.cleaned]).toEqual([null, 0])
    expect(snapshot(dav)).toEqual(before)
  })

  it('touches nothing but its scratch folder, whose name means nothing to a store', async () => {
    const dav = createMemoryDav()
    for (const name of ['version/000000000000-x', 'metadata.db'])
      dav.files.set(`dav/store/${name}`, new Uint8Array(3))
    await probe(dav)
    const outside = dav.log.filter((line) => !/^[A-Z]+ doctor-[0-9a-f-]+\//.test(line))
    expect(new Set(outside)).toEqual(new Set(['PROPFIND ']))
  })

  it('aborted at any request removes its scratch folder all the same', async () => {
    const all = createMemoryDav()
    await probe(all)
    const steps = all.log.length
    expect(steps).toBeGreaterThan(200)
    for (let stop = 1; stop < steps; stop += 17) {
      const dav = createMemoryDav()
      const before = snapshot(dav)
      const ending = new AbortController()
      const counting = between(async (_, pass) => {
        const response = await pass()
        if (dav.log.length < stop || ending.signal.aborted) return response
        // The server did it, and the client never learns.
        ending.abort(new Error('stopped by the user'))
        throw ending.signal.reason
      })
      await expect(probe(dav, counting, { signal: ending.signal })).rejects.toThrow('stopped by the user')
      expect(snapshot(dav), `aborted at request ${stop}`).toEqual(before)
    }
  })

  it('measures above a store that is not there yet, and does not make it', async () => {
    const dav = createMemoryDav({ root: 'dav/team/store', bare: true })
    const report = await probe(dav)
    expect(report.facts.place).toMatchObject({ storeIsThere: false, measuredIn: 'http://dav.test/dav/' })
    expect(worst(report)).toEqual([])
    expect(snapshot(dav)).toEqual(['', 'dav'])
  })

  it('rejects where nothing answers as a folder, or nobody may make one', async () => {
    const nothing = between(async () => answerOf(404))
    await expect(probe(createMemoryDav(), nothing)).rejects.toMatchObject({ code: 'remote-missing' })
    const forbidden = between(async ({ method }, pass) => (method === 'MKCOL' ? answerOf(403) : pass()))
    await expect(probe(createMemoryDav(), forbidden)).rejects.toMatchObject({ code: 'remote-unauthorized' })
    const away = between(async () => {
      throw new DavitError('remote-unreachable', 'nobody listens', { action: 'retry' })
    })
    await expect(probe(createMemoryDav(), away)).rejects.toMatchObject({ code: 'remote-unreachable' })
  })
})

describe('scratch folders that were left', () => {
  const hour = 60 * 60_000
  const now = Date.UTC(2026, 0, 1)
  const token = '0'.repeat(24)
  /** As killed probes leave them, with something inside. */
  function withLeft(...folders: string[]): MemoryDav {
    const dav = createMemoryDav()
    for (const folder of folders) {
      dav.folders.add(`dav/store/${folder.slice(0, -1)}`)
      dav.files.set(`dav/store/${folder}file`, new Uint8Array(1))
    }
    return dav
  }
  const leftIn = (dav: MemoryDav) =>
    [...dav.folders].map((folder) => folder.split('/').at(-1) ?? '').filter((name) => parseProbeFolder(name))

  it('are removed once their process is gone, and not while it lives', async () => {
    const dead = probeFolder(`${machine}-20-200`, now, token)
    const alive = probeFolder(`${machine}-30-300`, now - 5 * hour, token)
    const dav = withLeft(dead, alive)
    const isGone = (tag: string) => tag === `${machine}-20-200`
    expect((await probe(dav, undefined, { owner: { ...owner, isGone } })).cleaned).toBe(1)
    expect(leftIn(dav)).toEqual([alive.slice(0, -1)])
  })

  it('of another machine are removed when they are old by the clock of the server', async () => {
    const other = '0123456789abcdef-1-1'
    const old = probeFolder(other, now + 30 * hour - 2 * hour, token)
    const fresh = probeFolder(other, now + 30 * hour - 1_000, token)
    const dav = withLeft(old, fresh)
    const date = new Date(now + 30 * hour).toUTCString()
    const dated = between(async (_, pass) => {
      const response = await pass()
      return { ...response, headers: { ...response.headers, date } }
    })
    const report = await probe(dav, dated)
    expect(report.cleaned).toBe(1)
    expect(leftIn(dav)).toEqual([fresh.slice(0, -1)])
    expect(levelOf(report, 'clock')).toBe('but')
  })

  it('and the own one are emptied one by one where a folder that holds something is not deleted', async () => {
    const dav = createMemoryDav()
    const before = snapshot(dav)
    const strict = between(async (request, pass) => {
      const path = `dav/store/${request.name}`
      const holdsSomething = [...dav.files.keys(), ...dav.folders].some(
        (name) => name.startsWith(path) && `${name}/` !== path,
      )
      return request.method === 'DELETE' && request.name.endsWith('/') && holdsSomething
        ? answerOf(409)
        : pass()
    })
    expect((await probe(dav, strict)).left).toBeNull()
    expect(snapshot(dav)).toEqual(before)
  })

  it('that cannot be removed are told', async () => {
    const keeping = between(async ({ method, name }, pass) =>
      method === 'DELETE' && name.endsWith('/') ? answerOf(500) : pass(),
    )
    const { left } = await probe(createMemoryDav(), keeping)
    expect(left).toMatch(/^http:\/\/dav\.test\/dav\/store\/doctor-[0-9a-f-]+\/$/)
  })
})

describe('a server is not safe', () => {
  const missing = async (wrap: Wrap) => worst(await probe(createMemoryDav(), wrap))

  it('when its MOVE copies and deletes', async () => {
    const random = createSeededRandom(3)
    const copying: Wrap = (transport, clock) => withCopyingMove(transport, clock, random, 0)
    const report = await probe(createMemoryDav(), copying)
    expect(levelOf(report, 'rename')).toBe('missing')
    expect(report.facts.rename?.several).toBeGreaterThan(0)
  })

  it('when a racing MOVE loses the file', async () => {
    let moves = 0
    const losing = between(async (request, pass) => {
      if (request.method !== 'MOVE' || !request.name.includes('/rename/') || ++moves > 1) return pass()
      return pass({ method: 'DELETE', name: request.name })
    })
    expect(await missing(losing)).toContain('rename: missing')
  })

  it('when it cannot rename at all', async () => {
    const unable = between(async ({ method }, pass) => (method === 'MOVE' ? answerOf(405) : pass()))
    expect(await missing(unable)).toEqual(['move: missing'])
  })

  it('when a cache answers although it is told not to', async () => {
    const answers = new Map<string, { response: TransportResponse; bytes: Uint8Array }>()
    const caching = between(async ({ method, name }, pass) => {
      if (!['GET', 'HEAD', 'PROPFIND'].includes(method)) return pass()
      const key = `${method} ${name}`
      const known = answers.get(key)
      if (known !== undefined) return answerOf(known.response.status, {}, known.bytes)
      const response = await pass()
      const chunks: Uint8Array[] = []
      for await (const chunk of response.body) chunks.push(chunk)
      answers.set(key, { response, bytes: Buffer.concat(chunks) })
      return answerOf(response.status, response.headers, Buffer.concat(chunks))
    })
    expect(await missing(caching)).toEqual(expect.arrayContaining(['visibility: missing', 'cache: but']))
  })

  it('when it compresses what was asked for plain', async () => {
    const compressing = between(async ({ method }, pass) => {
      const response = await pass()
      if (method !== 'GET') return response
      const chunks: Uint8Array[] = []
      for await (const chunk of response.body) chunks.push(chunk)
      return answerOf(response.status, { 'content-encoding': 'gzip' }, gzipSync(Buffer.concat(chunks)))
    })
    expect(await missing(compressing)).toContain('encoding: missing')
  })

  it('when it redirects writes', async () => {
    const redirecting = between(async (request, pass) => {
      if (request.method !== 'MOVE') return pass()
      const details = { status: 301, location: 'https://elsewhere.example/' }
      throw new DavitError('remote-unexpected', 'it was redirected', { action: 'ask', details })
    })
    expect(await missing(redirecting)).toContain('redirect: missing')
  })

  it('when a folder hides what is in it, or answers for what is not there', async () => {
    const hiding = between(async (request, pass) =>
      request.method === 'PROPFIND' ? pass({ ...request, depth: '0' }) : pass(),
    )
    expect(await missing(hiding)).toContain('listing: missing')
    const friendly = between(async ({ method }, pass) => {
      const response = await pass()
      return method === 'GET' && response.status === 404 ? answerOf(200, {}, '<html>') : response
    })
    expect(await missing(friendly)).toContain('files: missing')
  })
})

describe('a server works, but', () => {
  it('takes bodies up to a limit only, which is found to a sixteenth', async () => {
    const limit = 1_300_000
    const limited = between(async (request, pass) => {
      if (request.method !== 'PUT') return pass()
      const body = await bodyOf(request)
      return body.length > limit ? answerOf(413) : pass({ ...request, body })
    })
    const report = await probe(createMemoryDav(), limited)
    expect(worst(report)).toEqual(['body: but'])
    const { accepted, refused, status } = report.facts.limits!.body
    expect(accepted).toBeLessThanOrEqual(limit)
    expect(refused).toBeGreaterThan(limit)
    expect((refused ?? 0) - accepted).toBeLessThanOrEqual(limit / 16)
    expect(status).toBe(413)
  })

  it('asks for pauses, which are made', async () => {
    const clocks: VirtualClock[] = []
    let answers = 0
    const busy: Wrap = (transport, clock) => {
      clocks.push(clock)
      return between(async (request, pass) =>
        request.method === 'PUT' && ++answers === 5 ? answerOf(503, { 'retry-after': '40' }) : pass(),
      )(transport, clock)
    }
    const report = await probe(createMemoryDav(), busy)
    expect(worst(report)).toEqual(['busy: but'])
    expect(report.facts.traffic).toMatchObject({ busy: 1, busyWithRetryAfter: 1, retryAfterMaxMs: 40_000 })
    expect(clocks[0]?.monotonic()).toBeGreaterThanOrEqual(40_000)
  })
})

describe('a server is safe', () => {
  it('on which a race is refused to all now and then, the file being where it was', async () => {
    let asked = 0
    // All four movers of the first round.
    const refusing = between(async ({ method, name }, pass) =>
      method === 'MOVE' && name.includes('/rename/') && ++asked <= 4 ? answerOf(423) : pass(),
    )
    const report = await probe(createMemoryDav(), refusing)
    expect(report.facts.rename).toMatchObject({ one: 3, idle: 1, lost: 0, sourceLeft: 0 })
    expect(worst(report)).toEqual([])
  })

  it('whose largest download is cut once, which is then measured again, or always, which is not a pace', async () => {
    for (const cuts of [1, Number.POSITIVE_INFINITY]) {
      let seen = 0
      const cutting = between(async (request, pass) => {
        if (request.method === 'GET' && request.name.includes('/body-') && ++seen <= cuts)
          throw new DavitError('remote-unreachable', 'the connection was cut', { action: 'retry' })
        return pass()
      })
      const report = await probe(createMemoryDav(), cutting)
      expect(worst(report)).toEqual([])
      expect(report.facts.pace?.downloadRate === null).toBe(cuts > 1)
    }
  })

  it('that takes a Destination without a host only', async () => {
    const refusesDestination = { form: 'absolute', status: 502 } as const
    const report = await probe(createMemoryDav({ refusesDestination }))
    expect(worst(report)).toEqual([])
    expect(report.facts.moves).toMatchObject({
      move: true,
      absoluteDestination: false,
      pathDestination: true,
    })
  })

  it('that keeps parts of uploads that were cut', async () => {
    const tearing = between(async (request, pass) => {
      if (request.method !== 'PUT' || request.body === undefined || request.body instanceof Uint8Array)
        return pass()
      const chunks: Uint8Array[] = []
      try {
        for await (const chunk of request.body.open(request.signal)) chunks.push(chunk)
      } finally {
        await pass({ ...request, body: Buffer.concat(chunks) })
      }
      return answerOf(201)
    })
    const report = await probe(createMemoryDav(), tearing)
    expect(worst(report)).toEqual([])
    expect(report.facts.uploads).toMatchObject({ cutNew: 'part', cutOld: 'part' })
    expect(levelOf(report, 'cut-uploads')).toBe('note')
  })

  it('behind a cache that does not answer when it is told not to', async () => {
    const kept = new Map<string, Uint8Array>()
    const obeying = between(async (request, pass) => {
      const response = await pass()
      if (request.method !== 'GET' || response.status !== 200) return response
      const mayAnswer = request.headers?.['cache-control'] === 'max-age=3600'
      const chunks: Uint8Array[] = []
      for await (const chunk of response.body) chunks.push(chunk)
      const bytes = mayAnswer ? (kept.get(request.name) ?? Buffer.concat(chunks)) : Buffer.concat(chunks)
      kept.set(request.name, bytes)
      return answerOf(200, { ...response.headers, age: '7', 'content-length': String(bytes.length) }, bytes)
    })
    const report = await probe(createMemoryDav(), obeying)
    expect(worst(report)).toEqual([])
    expect(report.facts.visibility).toMatchObject({ stale: 0, cacheAnswers: true })
    expect([levelOf(report, 'cache'), levelOf(report, 'between')]).toEqual(['note', 'note'])
  })
})
