/** A clock that stands still until everybody waits, then jumps to the next wake-up; and chance from a seed. */
import type { Clock, Random } from '../../src/model/clock.ts'

export interface VirtualClock extends Clock {
  /** Lets time pass as fast as possible until the work is done. */
  run<T>(work: Promise<T>): Promise<T>
}

export function createVirtualClock(startMs = Date.UTC(2026, 0, 1)): VirtualClock {
  let elapsed = 0
  let order = 0
  const sleepers: { at: number; order: number; wake: () => void }[] = []
  return {
    now: () => startMs + elapsed,
    monotonic: () => elapsed,
    sleep(ms, signal) {
      return new Promise((resolve, reject) => {
        if (signal?.aborted === true) return reject(signal.reason)
        const abort = () => {
          const index = sleepers.indexOf(sleeper)
          if (index >= 0) sleepers.splice(index, 1)
          reject(signal?.reason)
        }
        const sleeper = {
          at: elapsed + Math.max(0, ms),
          order: order++,
          wake: () => {
            signal?.removeEventListener('abort', abort)
            resolve()
          },
        }
        sleepers.push(sleeper)
        signal?.addEventListener('abort', abort, { once: true })
      })
    },
    async run(work) {
      let isDone = false
      const done = work.then(
        () => {
          isDone = true
        },
        () => {
          isDone = true
        },
      )
      for (let idle = 0; !isDone; ) {
        // Runs every pending promise job first: nobody can act any more without time passing.
        await new Promise<void>((resolve) => setImmediate(resolve))
        if (isDone) break
        sleepers.sort((left, right) => left.at - right.at || left.order - right.order)
        const next = sleepers.shift()
        if (next === undefined) {
          if (++idle > 1000) throw new Error('everybody waits and nobody sleeps')
          continue
        }
        idle = 0
        elapsed = Math.max(elapsed, next.at)
        next.wake()
      }
      await done
      return work
    },
  }
}

/** The same sequence for the same seed (mulberry32). */
export function createSeededRandom(seed: number): Random {
  let state = seed >>> 0
  const fraction = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const hex = (bytes: number) =>
    Array.from({ length: bytes }, () =>
      Math.floor(fraction() * 256)
        .toString(16)
        .padStart(2, '0'),
    ).join('')
  return {
    fraction,
    hex,
    uuid: () => {
      const digits = hex(16)
      return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-7${digits.slice(13, 16)}-8${digits.slice(17, 20)}-${digits.slice(20, 32)}`
    },
  }
}
