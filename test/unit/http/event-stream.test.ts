import { describe, expect, it } from 'vitest'
import { eventStream } from '../../../src/http/event-stream.ts'
import type { DavitEvent, EventDraft } from '../../../src/model/event.ts'
import { anApi } from '../../support/api.ts'
import { FakeInstance } from '../../support/fake-instance.ts'
import { ManualClock, settle } from '../../support/manual-clock.ts'

const started = (runId: string): EventDraft => ({ type: 'sync.started', data: { runId } })
const added = (path: string): EventDraft => ({ type: 'file.added', data: { path } })

/** Reads a stream of messages as far as they have come. */
function reader(body: ReadableStream<Uint8Array> | null) {
  const source = (body as ReadableStream<Uint8Array>).getReader()
  let text = ''
  let state: 'open' | 'ended' | 'failed' = 'open'
  const reading = (async () => {
    try {
      for (;;) {
        const piece = await source.read()
        if (piece.done) break
        text += Buffer.from(piece.value).toString('utf8')
      }
      state = 'ended'
    } catch {
      state = 'failed'
    }
  })()
  return {
    text: () => text,
    state: () => state,
    ids: () => [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id)),
    comments: () => text.split('\n\n').filter((block) => block.startsWith(':')).length,
    cancel: async () => {
      await source.cancel()
      await reading
    },
  }
}

function aStream(change: { after?: number | null; types?: ['file.added'] } = {}) {
  const instance = new FakeInstance()
  const clock = new ManualClock()
  const gone = new AbortController()
  const closing = new AbortController()
  const seen = { over: 0, cut: 0 }
  const open = (events: FakeInstance['events'] = instance.events) =>
    eventStream({
      events,
      clock,
      after: change.after ?? null,
      types: change.types ?? null,
      gone: gone.signal,
      closing: closing.signal,
      cut: () => {
        seen.cut += 1
      },
      report: () => {},
      onOver: () => {
        seen.over += 1
      },
    })
  return { instance, clock, gone, closing, seen, open }
}

describe('an event', () => {
  it('is an id, its type, its data and an empty line, and nothing else has an id', async () => {
    const { call, instance, clock } = anApi()
    const response = await call('/sse')
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    const client = reader(response.body)
    await settle()
    expect(client.text()).toBe(': connected\n\n')
    const event = instance.emit(started('run\n1'))
    await settle()
    expect(client.text()).toBe(
      `: connected\n\nid: 1\nevent: sync.started\ndata: ${JSON.stringify({
        id: 1,
        type: 'sync.started',
        at: event.at,
        instance: 'archive-1',
        data: { runId: 'run\n1' },
      })}\n\n`,
    )
    await client.cancel()
    expect([instance.listeners.size, clock.sleeping]).toEqual([0, 0])
  })
})

describe('replay', () => {
  it('starts after the last event that the client saw, by header or query, without gap or duplicate', async () => {
    for (const [path, headers] of [
      ['/sse', { 'last-event-id': '2' }],
      ['/sse?lastEventId=2', {}],
      ['/sse?lastEventId=0', { 'last-event-id': '2' }],
    ] as const) {
      const { call, instance } = anApi()
      for (let index = 0; index < 700; index++) instance.emit(added(`${index}`))
      const response = await call(path, { headers })
      // Stored before the client reads, told after.
      instance.emit(added('between'))
      const client = reader(response.body)
      instance.emit(added('while replaying'))
      await settle()
      instance.emit(added('live'))
      await settle()
      expect(client.ids()).toEqual(Array.from({ length: 701 }, (_, index) => index + 3))
      await client.cancel()
    }
  })

  it('is nothing for a new client: it sees what happens from now on', async () => {
    const { call, instance } = anApi()
    instance.emit(added('before'))
    const client = reader((await call('/sse')).body)
    instance.emit(added('after'))
    await settle()
    expect(client.ids()).toEqual([2])
    await client.cancel()
  })

  it('keeps to the types that were asked for', async () => {
    const { call, instance } = anApi()
    for (let index = 0; index < 500; index++) instance.emit(index % 2 === 0 ? added('a') : started('r'))
    const response = await call('/sse?types=sync.started,sync.completed', {
      headers: { 'last-event-id': '490' },
    })
    const client = reader(response.body)
    await settle()
    instance.emit(added('live'))
    instance.emit(started('live'))
    await settle()
    expect(client.ids()).toEqual([492, 494, 496, 498, 500, 502])
    await client.cancel()
  })

  it('does not hide later events behind an id that is not reached yet', async () => {
    const { call, instance } = anApi()
    instance.emit(added('a'))
    const client = reader((await call('/sse', { headers: { 'last-event-id': '1000' } })).body)
    await settle()
    instance.emit(added('b'))
    await settle()
    expect(client.ids()).toEqual([2])
    await client.cancel()
  })

  it('ends the stream and leaves nothing behind when the stored events cannot be read', async () => {
    const { instance, clock, seen, open } = aStream({ after: 0 })
    const failing = {
      ...instance.events,
      since: (): DavitEvent[] => {
        throw new Error('disk')
      },
    }
    reader(open(failing))
    await settle()
    expect([seen, instance.listeners.size, clock.sleeping]).toEqual([{ over: 1, cut: 1 }, 0, 0])
  })
})

describe('what is asked wrongly', () => {
  it.each([
    '/sse?types=nonsense',
    '/sse?types=',
    '/sse?types=sync.started,',
    '/sse?colour=red',
    '/sse?lastEventId=x',
  ])('is refused: %s', async (path) => {
    const { call, instance } = anApi()
    expect((await call(path)).status).toBe(400)
    expect(instance.listeners.size).toBe(0)
  })
  it('is refused: a Last-Event-ID that is no number', async () => {
    const { call } = anApi()
    expect((await call('/sse', { headers: { 'last-event-id': 'abc' } })).status).toBe(400)
  })
  it('listens to nothing for HEAD', async () => {
    const { call, instance } = anApi()
    expect((await call('/sse', { method: 'HEAD' })).status).toBe(200)
    expect(instance.listeners.size).toBe(0)
  })
})

describe('a comment line', () => {
  it('comes every 15 seconds', async () => {
    const { clock, open } = aStream()
    const client = reader(open())
    await clock.advance(14_999)
    expect(client.comments()).toBe(1)
    await clock.advance(1)
    expect(client.comments()).toBe(2)
    await clock.advance(300_000)
    expect([client.comments(), client.state()]).toEqual([22, 'open'])
    expect(client.ids()).toEqual([])
    await client.cancel()
    expect(clock.sleeping).toBe(0)
  })
})

describe('a client that does not read', () => {
  it('is dropped when more than 4 MiB wait for it', async () => {
    const { instance, clock, seen, open } = aStream()
    open()
    const path = 'x'.repeat(1024 * 1024)
    for (let index = 0; index < 3; index++) instance.emit(added(path))
    await settle()
    expect(seen).toEqual({ over: 0, cut: 0 })
    instance.emit(added(path))
    await settle()
    expect([seen, instance.listeners.size, clock.sleeping]).toEqual([{ over: 1, cut: 1 }, 0, 0])
  })

  it.each([null, 0])('is dropped when something waits for 30 seconds (after %s)', async (after) => {
    const { instance, clock, seen, open } = aStream({ after })
    instance.emit(added('a'))
    open()
    await clock.advance(29_999)
    expect(seen.cut).toBe(0)
    await clock.advance(1)
    expect([seen, instance.listeners.size, clock.sleeping]).toEqual([{ over: 1, cut: 1 }, 0, 0])
  })

  it('has 30 seconds from the last thing that it took', async () => {
    const { clock, seen, open } = aStream()
    const source = open().getReader()
    for (let beat = 0; beat < 5; beat++) {
      const taken = source.read()
      if (beat > 0) await clock.advance(15_000)
      await taken
    }
    await clock.advance(29_999)
    expect(seen.cut).toBe(0)
    await clock.advance(1)
    expect(seen.cut).toBe(1)
  })

  it('is not dropped for what it can still catch up with', async () => {
    const { instance, open } = aStream({ after: 0 })
    const path = 'x'.repeat(100 * 1024)
    for (let index = 0; index < 100; index++) instance.emit(added(path))
    const client = reader(open())
    await settle()
    expect([client.ids().length, client.state()]).toEqual([100, 'open'])
    await client.cancel()
  })
})

describe('the end', () => {
  it('comes in good order when the server closes', async () => {
    const { instance, clock, closing, seen, open } = aStream()
    const client = reader(open())
    await settle()
    closing.abort()
    await settle()
    expect([client.state(), seen, instance.listeners.size, clock.sleeping]).toEqual([
      'ended',
      { over: 1, cut: 0 },
      0,
      0,
    ])
  })

  it('is noticed when the client has gone, even before the stream began', async () => {
    for (const early of [true, false]) {
      const { instance, clock, gone, seen, open } = aStream()
      if (early) gone.abort()
      open()
      gone.abort()
      await settle()
      expect([seen.over, instance.listeners.size, clock.sleeping]).toEqual([1, 0, 0])
    }
  })
})
