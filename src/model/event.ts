/** What happened, for people and programs that watch. Types and shapes are fixed by the interface. */
import type { JsonObject } from './json.ts'

export const eventTypes = [
  'sync.started',
  'sync.progress',
  'sync.completed',
  'sync.failed',
  'sync.halted',
  'file.added',
  'file.updated',
  'file.moved',
  'file.deleted',
  'file.rescued',
  'conflict.detected',
  'conflict.updated',
  'conflict.resolved',
  'record.added',
  'record.updated',
  'record.deleted',
  'remote.unreachable',
  'remote.reachable',
  'remote.fork',
  'lock.waiting',
  'lock.broken',
  'problem.detected',
  'problem.resolved',
  'instance.renamed',
  'scheduler.changed',
] as const

export type EventType = (typeof eventTypes)[number]

/** An event before it has its number. */
export interface EventDraft {
  readonly type: EventType
  readonly data: JsonObject
}

export interface DavitEvent extends EventDraft {
  /** Grows by at least one with each event of this instance, over restarts too. */
  readonly id: number
  /** ISO 8601, UTC. */
  readonly at: string
  /** The instance's name. */
  readonly instance: string
}
