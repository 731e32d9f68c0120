/** A clock with the system's timers, for tests that go through real sockets. They never wait for it to pass. */
import { setTimeout as wait } from 'node:timers/promises'
import type { Clock } from '../../src/model/clock.ts'

export const systemLikeClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) => wait(ms, undefined, signal === undefined ? {} : { signal }),
}
