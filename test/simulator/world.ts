/**
 * Virtual time for everybody: what is to happen lies in one queue, and time jumps from one entry to the next. Between
 * two entries every promise runs as far as it can, so that nothing depends on the machine.
 */
import type { Clock } from '../../src/model/clock.ts'

export interface World {
  /** Milliseconds since the beginning. */
  readonly nowMs: number
  /** A clock without offset and drift, for what is no instance. */
  readonly clock: Clock
  /** Entries taken from the queue so far. */
  readonly steps: number
  /** Runs `act` after so many milliseconds; answers how to cancel it. */
  after(ms: number, act: () => void): () => void
  /** Lets time pass until `isDone`. Throws when nothing is left to happen, or after `stepsMax` entries. */
  run(isDone: () => boolean, stepsMax: number): Promise<void>
  /** Lets time pass until the work has settled, and answers with its outcome. */
  settle<T>(work: Promise<T>, stepsMax: number): Promise<T>
}

interface Entry {
  readonly at: number
  readonly order: number
  act: (() => void) | null
}

/** 2026-01-01: far enough from what the machine itself would say that a real time is noticed. */
export const beginningMs = Date.UTC(2026, 0, 1)

const realSetImmediate = globalThis.setImmediate
let immediatesPending = 0

/** Counts what waits for the event loop, so that it is known when everybody waits for time. Once for each process. */
export function watchImmediates(): void {
  const counting = (act: (...args: unknown[]) => void, ...args: unknown[]) => {
    immediatesPending += 1
    return realSetImmediate(() => {
      immediatesPending -= 1
      act(...args)
    })
  }
  globalThis.setImmediate = Object.assign(counting, {
    __promisify__: realSetImmediate.__promisify__,
  }) as typeof globalThis.setImmediate
}

async function drain(): Promise<void> {
  do {
    await new Promise<void>((resolve) => realSetImmediate(resolve))
  } while (immediatesPending > 0)
}

export class Stalled extends Error {}

export function createWorld(): World {
  const heap: Entry[] = []
  let nowMs = 0
  let order = 0
  let steps = 0

  function isBefore(left: Entry, right: Entry): boolean {
    return left.at < right.at || (left.at === right.at && left.order < right.order)
  }
  function push(entry: Entry): void {
    let index = heap.length
    heap.push(entry)
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!isBefore(entry, heap[parent] as Entry)) break
      heap[index] = heap[parent] as Entry
      index = parent
    }
    heap[index] = entry
  }
  function pop(): Entry | undefined {
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Entry, heap[child] as Entry)) child += 1
      if (!isBefore(heap[child] as Entry, last)) break
      heap[index] = heap[child] as Entry
      index = child
    }
    heap[index] = last
    return first
  }

  function after(ms: number, act: () => void): () => void {
    const entry: Entry = { at: nowMs + Math.max(0, ms), order: order++, act }
    push(entry)
    return () => {
      entry.act = null
    }
  }

  async function run(isDone: () => boolean, stepsMax: number): Promise<void> {
    const last = steps + stepsMax
    for (;;) {
      await drain()
      if (isDone()) return
      let next = pop()
      while (next !== undefined && next.act === null) next = pop()
      if (next?.act == null) throw new Stalled('everybody waits, and nothing is going to happen')
      if (++steps > last) throw new Stalled(`not done after ${stepsMax} steps`)
      nowMs = next.at
      next.act()
    }
  }

  const world: World = {
    get nowMs() {
      return nowMs
    },
    get steps() {
      return steps
    },
    after,
    run,
    async settle(work, stepsMax) {
      let isSettled = false
      const settled = () => {
        isSettled = true
      }
      work.then(settled, settled)
      await run(() => isSettled, stepsMax)
      return work
    },
    clock: {
      now: () => beginningMs + nowMs,
      monotonic: () => nowMs,
      sleep: (ms, signal) =>
        new Promise((resolve, reject) => {
          if (signal?.aborted === true) return reject(signal.reason)
          const cancel = after(ms, () => {
            signal?.removeEventListener('abort', abort)
            resolve()
          })
          const abort = () => {
            cancel()
            reject(signal?.reason)
          }
          signal?.addEventListener('abort', abort, { once: true })
        }),
    },
  }
  return world
}
