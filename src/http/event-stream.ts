/**
 * The instance's events as server-sent events.
 *
 *     replay ── nothing newer is stored ──▶ live ── client gone, server closing, too slow ──▶ over
 *
 * A client that names the last event it saw gets all later ones, each once. It is handed data only when it asks for
 * more, so what waits can be counted, and a client that leaves it too long is dropped instead of kept in memory.
 */
import type { Instance } from '../instance/instance.ts'
import type { Clock } from '../model/clock.ts'
import type { DavitEvent, EventType } from '../model/event.ts'
import { eventStreamHeartbeatMs, eventStreamStallMs, eventStreamWaitingBytesMax } from '../model/limits.ts'

/** Events read from the store in one go while replaying. */
const replayBatch = 200
/** How often the time that a client lets data wait is looked at: a third of the heartbeat. */
const tickMs = eventStreamHeartbeatMs / 3

export interface EventStreamOptions {
  readonly events: Instance['events']
  readonly clock: Clock
  /** The last event that the client has seen; `null` starts with the next one that happens. */
  readonly after: number | null
  readonly types: readonly EventType[] | null
  /** Aborted when the client is gone. */
  readonly gone: AbortSignal
  /** Aborted when the server closes: the stream ends in good order. */
  readonly closing: AbortSignal | null
  /** Cuts the connection; without it the stream fails, which has the same effect wherever streams are served. */
  readonly cut: (() => void) | null
  /** Told when the stored events cannot be read. */
  readonly report: (error: unknown) => void
  /** Called once, when the stream is over for whatever reason. */
  readonly onOver: () => void
}

/** One message: `id`, `event`, `data` and an empty line. */
export function encodeEvent(event: DavitEvent): string {
  const { id, type, at, instance, data } = event
  return `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify({ id, type, at, instance, data })}\n\n`
}

/** The stream of messages and comment lines. Nothing is left behind once it is over: no listener, no timer. */
export function eventStream(options: EventStreamOptions): ReadableStream<Uint8Array> {
  const { events, clock } = options
  const encoder = new TextEncoder()
  const wanted = options.types === null ? null : new Set(options.types)
  const over = new AbortController()
  let controller: ReadableStreamDefaultController<Uint8Array>
  // An id of the future (the state was made anew) would hide all events up to it.
  let cursor = Math.min(options.after ?? Number.MAX_SAFE_INTEGER, events.lastId())
  let isReplaying = options.after !== null
  let waiting: Uint8Array[] = []
  let waitingBytes = 0
  /** Ends the pull under way; `null` while the client does not ask for anything. */
  let answer: (() => void) | null = null
  let handedAt = clock.monotonic()
  let unsubscribe: () => void = () => {}

  function finish(how: 'end' | 'cut' | 'cancelled'): void {
    if (over.signal.aborted) return
    over.abort()
    unsubscribe()
    options.gone.removeEventListener('abort', onGone)
    options.closing?.removeEventListener('abort', onClosing)
    waiting = []
    waitingBytes = 0
    options.onOver()
    if (how === 'end') controller.close()
    else if (how === 'cut' && options.cut !== null) options.cut()
    else if (how === 'cut')
      controller.error(new Error('the client of the event stream was too slow or is gone'))
    answer?.()
    answer = null
  }
  function onGone(): void {
    finish('cut')
  }
  function onClosing(): void {
    finish('end')
  }

  /** Hands over what waits, if the client asks for it. */
  function hand(): void {
    if (answer === null || waiting.length === 0) return
    for (const piece of waiting) controller.enqueue(piece)
    waiting = []
    waitingBytes = 0
    handedAt = clock.monotonic()
    const done = answer
    answer = null
    done()
  }

  function add(text: string): void {
    const piece = encoder.encode(text)
    waiting.push(piece)
    waitingBytes += piece.byteLength
    hand()
    if (waitingBytes > eventStreamWaitingBytesMax) finish('cut')
  }

  function onEvent(event: DavitEvent): void {
    // While replaying, the store is read until it has nothing newer; whatever is told meanwhile is read there.
    if (over.signal.aborted || isReplaying || event.id <= cursor) return
    cursor = event.id
    if (wanted === null || wanted.has(event.type)) add(encodeEvent(event))
  }

  function replay(): void {
    const batch = events.since(cursor, replayBatch, options.types ?? undefined)
    // A batch is bounded by its count and read only when the one before is gone: it does not count as waiting.
    waiting.push(...batch.map((event) => encoder.encode(encodeEvent(event))))
    cursor = batch.at(-1)?.id ?? cursor
    // RACE: none between the last batch and the first live event. Both happen in this turn: an event that was stored
    // before is in the batch and, when it is told later, skipped by its id; one stored after is told later.
    if (batch.length < replayBatch) isReplaying = false
    hand()
  }

  async function beat(): Promise<void> {
    for (let tick = 1; ; tick = (tick + 1) % 3) {
      await clock.sleep(tickMs, over.signal)
      if (answer === null && clock.monotonic() - handedAt >= eventStreamStallMs) return finish('cut')
      if (tick === 0) add(': still here\n\n')
    }
  }

  return new ReadableStream<Uint8Array>(
    {
      start(given) {
        controller = given
        options.gone.addEventListener('abort', onGone)
        options.closing?.addEventListener('abort', onClosing)
        if (options.gone.aborted) return onGone()
        if (options.closing?.aborted === true) return onClosing()
        unsubscribe = events.subscribe(onEvent)
        // The first bytes go at once, so that a client sees that it is connected.
        add(': connected\n\n')
        // The sleep ends with an error when the stream is over; after any other error the client has to come again.
        beat().catch(() => finish('cut'))
      },
      pull() {
        return new Promise<void>((resolve) => {
          if (over.signal.aborted) return resolve()
          answer = resolve
          hand()
          if (answer === null || !isReplaying) return
          try {
            replay()
          } catch (error) {
            options.report(error)
            finish('cut')
          }
        })
      },
      cancel() {
        finish('cancelled')
      },
    },
    { highWaterMark: 0 },
  )
}
