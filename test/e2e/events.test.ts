/** The event stream as a program follows it: live, again after a reconnect, again after a restart. */
import { mkdir, rename, rm } from 'node:fs/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startWebdavServer } from '../../src/webdav-server/webdav-server.ts'
import {
  Bench,
  type EventReader,
  readEvents,
  type Served,
  type StreamedEvent,
  until,
} from '../support/process.ts'

let bench: Bench
let server: { readonly url: string; close(): Promise<void> }
let anna: Served
let ben: Served

beforeAll(async () => {
  bench = await Bench.make()
  await mkdir(bench.path('dav'))
  await mkdir(bench.path('a'))
  await mkdir(bench.path('b'))
  server = await startWebdavServer({ root: bench.path('dav'), port: 0 })
  const common = ['--create', '--remote', `${server.url}/team`, '--poll', '200ms']
  anna = await bench.serve('a', ...common, '--instance', 'anna')
  await anna.sync()
  ben = await bench.serve('b', ...common, '--instance', 'ben')
  await ben.sync()
})
afterAll(async () => {
  await bench.clear()
  await server.close()
})

const changes = (events: readonly StreamedEvent[]) =>
  events
    .filter(({ event }) => event.startsWith('file.'))
    .map(({ event, data }) => [event, data.data['path'], data.data['origin']])

function expectWellFormed(reader: EventReader): void {
  const ids = reader.events.map(({ id }) => id)
  expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b))
  for (const each of reader.events)
    expect([each.data['id'], each.data['type']]).toEqual([each.id, each.event])
  const started = new Set(
    reader.events.flatMap(({ event, data }) => (event === 'sync.started' ? [data.data['runId']] : [])),
  )
  for (const { event, data } of reader.events) {
    if (event === 'sync.progress') expect(started).toContain(data.data['runId'])
  }
}

it('each change is one event on each instance, and nothing else is told', async () => {
  const [one, two] = [await readEvents(anna, 0), await readEvents(ben, 0)]
  const seen = (count: number) => () =>
    changes(one.events).length >= count && changes(two.events).length >= count
  await bench.write('a/one.txt', 'one')
  await until(seen(1), 'the new file')
  await rename(bench.path('b/one.txt'), bench.path('b/two.txt'))
  await until(seen(2), 'the move')
  await bench.write('a/two.txt', 'two, longer')
  await until(seen(3), 'the update')
  await rm(bench.path('b/two.txt'))
  await until(seen(4), 'the deletion')
  const expected = [
    ['file.added', 'one.txt', 'anna'],
    ['file.moved', 'two.txt', 'ben'],
    ['file.updated', 'two.txt', 'anna'],
    ['file.deleted', 'two.txt', 'ben'],
  ]
  // What the instances wrote themselves comes back through their watchers: it is no change, and no run.
  await anna.sync()
  await ben.sync()
  await until(() => [one, two].every(({ events }) => events.at(-1)?.event === 'sync.completed'))
  for (const reader of [one, two]) {
    expect(changes(reader.events)).toEqual(expected)
    expectWellFormed(reader)
    expect(reader.raw()).not.toMatch(/^id: .*\n(?!event: .*\ndata: \{.*\}\n\n)/m)
    await reader.close()
  }
  const empty = one.events.filter(
    ({ event, data }) =>
      event === 'sync.completed' &&
      (data.data['summary'] as { trigger: string; requests: number }).trigger === 'watch',
  )
  expect(empty).toHaveLength(2)
})

it('a reconnect, and a restart of the process, miss nothing and repeat nothing', async () => {
  const whole = await readEvents(anna, 0)
  await until(() => whole.events.length > 4)
  const middle = whole.events[2]?.id ?? 0
  const again = await readEvents(anna, middle)
  await until(() => again.events.length === whole.events.length - 3)
  expect(again.events).toEqual(whole.events.slice(3))
  const last = whole.events.at(-1)?.id ?? 0
  await again.close()
  await whole.close()

  await anna.process.stop()
  await bench.write('a/three.txt', 'three')
  anna = await bench.serve('a', '--poll', '200ms')
  const live = await readEvents(anna, last)
  await until(() => changes(live.events).length === 1, 'the change from between')
  expect(changes(live.events)).toEqual([['file.added', 'three.txt', 'anna']])
  expect(live.events[0]?.id).toBeGreaterThan(last)
  expectWellFormed(live)
  await live.close()
  await until(() => bench.has('b/three.txt'))
})

it('only the types that are asked for come, and the progress of a run while it goes on', async () => {
  const reader = await readEvents(ben, undefined, '?types=sync.progress,sync.completed')
  for (let i = 0; i < 40; i++) await bench.write(`b/many/${i}.txt`, `file ${i}`)
  const run = await ben.sync()
  await until(() =>
    reader.events.some(({ data }) => (data.data['summary'] as { runId?: string })?.runId === run.runId),
  )
  const types = new Set(reader.events.map(({ event }) => event))
  expect([...types].sort()).toEqual(['sync.completed', 'sync.progress'])
  // Whichever run took the files: its progress came before its end.
  const runOf = (at: number) => {
    const told = (reader.events[at]?.data.data ?? {}) as { runId?: string; summary?: { runId?: string } }
    return told.runId ?? told.summary?.runId
  }
  const first = reader.events.findIndex(({ event }) => event === 'sync.progress')
  const end = reader.events.findIndex(
    ({ event }, at) => event === 'sync.completed' && runOf(at) === runOf(first),
  )
  expect(first).toBeGreaterThanOrEqual(0)
  expect(end).toBeGreaterThan(first)
  await reader.close()
})

it('a conflict is told once on each instance, when it is found and when it is settled', async () => {
  for (const each of [anna, ben]) {
    await each.call('PATCH', '/sync/scheduler', { json: { mode: 'manual' } })
  }
  await anna.sync()
  await ben.sync()
  const [one, two] = [await readEvents(anna), await readEvents(ben)]
  await bench.write('a/three.txt', 'anna')
  await bench.write('b/three.txt', 'ben')
  await anna.sync()
  expect(await ben.sync()).toMatchObject({ outcome: 'conflicts', conflicts: 1 })
  await anna.sync()
  await ben.sync()
  const { body } = await anna.call<{ items: { id: string; revision: string }[] }>('GET', '/sync/conflicts')
  const { id, revision } = body.items[0] as { id: string; revision: string }
  const settled = await anna.call('POST', '/sync/resolve-conflict', {
    json: { id, strategy: 'keep_both', expected: revision },
  })
  expect(settled.status).toBe(200)
  await anna.sync()
  await ben.sync()
  const told = ({ events }: EventReader) =>
    events
      .filter(({ event }) => event.startsWith('conflict.'))
      .map(({ event, data }) => [event, data.data['id']])
  for (const reader of [one, two]) {
    await until(() => told(reader).length >= 2)
    expect(told(reader)).toEqual([
      ['conflict.detected', id],
      ['conflict.resolved', id],
    ])
    expectWellFormed(reader)
    await reader.close()
  }
})
