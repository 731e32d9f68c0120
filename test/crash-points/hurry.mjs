/**
 * Shortens the pauses of the protocol (looking again after a second, waiting before another attempt): what is waited
 * for on loopback comes within milliseconds. Where CRASH_POINT_CLOCK says so, the monotonic clock runs that many times
 * faster, which lets a lease end.
 */
import { syncBuiltinESMExports } from 'node:module'
import timers from 'node:timers/promises'

const shortestMs = 100
const factor = 20

const wait = timers.setTimeout
timers.setTimeout = (ms, ...rest) => wait(ms < shortestMs ? ms : Math.max(25, ms / factor), ...rest)
syncBuiltinESMExports()

const speed = Number(process.env.CRASH_POINT_CLOCK ?? 1)
if (speed !== 1) {
  const now = performance.now.bind(performance)
  performance.now = () => now() * speed
}
