/** Events: written down, numbered, handed on. */
import type { Database } from '../database/database.ts'
import type { Clock } from '../model/clock.ts'
import type { DavitEvent, EventDraft } from '../model/event.ts'

/** Kept for replay after a reconnect; older ones are dropped, a block at a time. */
const eventsKept = 50_000
const pruneEvery = 1_000

export class EventLog {
  private readonly database: Database
  private readonly clock: Clock
  private readonly name: string
  private readonly listeners = new Set<(event: DavitEvent) => void>()
  private queue: DavitEvent[] = []
  private sincePruned = 0

  constructor(options: { readonly database: Database; readonly clock: Clock; readonly name: string }) {
    this.database = options.database
    this.clock = options.clock
    this.name = options.name
  }

  emit(draft: EventDraft): void {
    this.emitAll([draft])
  }

  /** One transaction for all of them: each is a write-out of the disk, which a sync of many files feels. */
  emitAll(drafts: readonly EventDraft[]): void {
    if (drafts.length === 0) return
    const at = new Date(this.clock.now()).toISOString()
    const events = this.database.transaction(() =>
      drafts.map((draft) => this.database.events.append(draft, at, this.name)),
    )
    this.sincePruned += events.length
    if (this.sincePruned >= pruneEvery) {
      this.sincePruned = 0
      this.database.events.prune(eventsKept)
    }
    if (this.listeners.size === 0) return
    if (this.queue.length === 0) setImmediate(() => this.deliver())
    for (const event of events) this.queue.push(event)
  }

  subscribe(listener: (event: DavitEvent) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  /** Hands on what waits: in a later turn, so that no listener runs inside a step of the engine. */
  deliver(): void {
    const events = this.queue
    this.queue = []
    for (const event of events) for (const listener of [...this.listeners]) listener(event)
  }
}
