import { describe, expect, it } from 'vitest'
import { logLine } from '../../../src/instance/log-events.ts'
import { type DavitEvent, type EventType, eventTypes } from '../../../src/model/event.ts'
import type { JsonObject } from '../../../src/model/json.ts'
import type { RunSummary } from '../../../src/model/run.ts'

const quiet: RunSummary = {
  runId: 'r',
  kind: 'incremental',
  trigger: 'poll',
  outcome: 'in-sync',
  version: 7,
  uploaded: 0,
  downloaded: 0,
  deleted: 0,
  moved: 0,
  metadata: 0,
  conflicts: 0,
  problems: [],
  requests: 1,
  bytesSent: 0,
  bytesReceived: 0,
  startedAt: '2026-11-20T12:00:00.000Z',
  endedAt: '2026-11-20T12:00:00.012Z',
  durationMs: 12,
  phases: {},
}

function event(type: EventType, data: JsonObject): DavitEvent {
  return { id: 1, at: quiet.endedAt, instance: 'desk', type, data }
}

const run = (type: EventType, changes: Partial<RunSummary>) =>
  logLine(event(type, { summary: { ...quiet, ...changes } as unknown as JsonObject }))

describe('a run that went through', () => {
  it('and changed nothing is for those who look for a fault', () => {
    expect(run('sync.completed', {}).level).toBe('debug')
  })

  it.each(['uploaded', 'downloaded', 'deleted', 'moved', 'metadata'] as const)(
    'and has something %s is told',
    (count) => {
      expect(run('sync.completed', { [count]: 1 }).level).toBe('info')
    },
  )

  it('tells what was done', () => {
    const counts = { uploaded: 1, downloaded: 2, deleted: 3, moved: 4, metadata: 5 }
    expect(run('sync.completed', counts).message).toBe(
      'in-sync at version 7: 1 sent, 2 fetched, 3 deleted, 4 moved, 5 changed in metadata, 12 ms',
    )
  })

  it('without doing anything is no change of state', () => {
    expect(run('sync.completed', { kind: 'dry-run', uploaded: 3 }).level).toBe('debug')
  })
})

describe('a run that did not', () => {
  it.each(['sync.halted', 'sync.failed'] as const)('%s is an error, with what to do', (type) => {
    const error = { code: 'deletion-guard', message: 'This would delete 20 files.', hint: 'Approve it.' }
    expect(run(type, { outcome: 'halted', error })).toEqual({
      level: 'error',
      message: 'halted: This would delete 20 files. Approve it.',
    })
  })

  it('without a hint or an error still ends as a sentence', () => {
    const error = { code: 'internal', message: 'it broke' }
    expect(run('sync.failed', { outcome: 'failed', error }).message).toBe('failed: it broke.')
    expect(run('sync.failed', { outcome: 'failed' }).message).toBe('failed: see the problems.')
  })
})

it.each<[EventType, JsonObject, string, string]>([
  ['remote.unreachable', { message: 'no route' }, 'error', 'the remote cannot be reached: no route'],
  ['remote.reachable', {}, 'info', 'the remote is reached again'],
  ['remote.fork', { version: 3 }, 'error', 'a fork of the store was found and healed: {"version":3}'],
  [
    'conflict.detected',
    { path: 'a.md', aspect: 'content', id: 'c1' },
    'info',
    'conflict.detected a.md (content, c1)',
  ],
  [
    'conflict.resolved',
    { path: 'a.md', aspect: 'metadata.x', id: 'c1' },
    'info',
    'conflict.resolved a.md (metadata.x, c1)',
  ],
  ['file.rescued', { path: 'a.md' }, 'info', 'file.rescued a.md'],
  ['problem.detected', { path: 'a.md', detail: 'is busy' }, 'info', 'problem.detected a.md is busy'],
  ['instance.renamed', { detail: 'desk' }, 'info', 'instance.renamed desk'],
  ['lock.broken', { name: 'l-1' }, 'info', 'a lock that nobody renewed was broken: l-1'],
  ['file.updated', { path: 'a.md' }, 'debug', 'file.updated {"path":"a.md"}'],
])('%s with %j is told as %s', (type, data, level, message) => {
  expect(logLine(event(type, data))).toEqual({ level, message })
})

it.each(eventTypes)('%s has a line that begins with something to read', (type) => {
  const { message } = logLine(event(type, { summary: quiet as unknown as JsonObject }))
  expect(message).toMatch(/^[a-z]/)
  expect(message).not.toContain('undefined')
})
