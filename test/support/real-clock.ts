/** The system's clock for tests against real sockets, which a virtual one cannot drive. Pauses are cut to a millisecond. */
import type { Clock } from '../../src/model/clock.ts'

export function createImpatientClock(): Clock & { readonly slept: number[] } {
  const slept: number[] = []
  let ahead = 0
  return {
    slept,
    now: () => Date.now() + ahead,
    monotonic: () => performance.now() + ahead,
    sleep: (ms, signal) => {
      slept.push(ms)
      ahead += ms
      return new Promise((resolve, reject) => {
        if (signal?.aborted === true) return reject(signal.reason)
        setTimeout(resolve, 1)
      })
    },
  }
}
