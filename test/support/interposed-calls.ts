/** System calls with something slipped in before the n-th of them: an edit by somebody else, or a failure. */
import { type FileCalls, systemFileCalls } from '../../src/workspace/file-calls.ts'

export interface UpcomingCall {
  readonly name: keyof FileCalls
  readonly args: readonly unknown[]
}

export interface InterposedCalls {
  readonly calls: FileCalls
  /** Calls made since the last `arm`. */
  count(): number
  /** Before call number `at` (from 0) `act` runs; what it throws the call throws, or rejects with. */
  arm(at: number, act: (call: UpcomingCall) => void): void
}

export function interposeCalls(): InterposedCalls {
  let made = 0
  let armedAt = Number.POSITIVE_INFINITY
  let act: (call: UpcomingCall) => void = () => undefined
  const slipIn = (call: UpcomingCall) => {
    if (made++ === armedAt) act(call)
  }
  const wrapped = Object.entries(systemFileCalls).map(([name, original]) => {
    if (typeof original !== 'function') return [name, original]
    const make = original as (...args: unknown[]) => unknown
    const upcoming = (args: unknown[]) => ({ name: name as keyof FileCalls, args })
    const sync = (...args: unknown[]) => {
      slipIn(upcoming(args))
      return make(...args)
    }
    const async = async (...args: unknown[]) => sync(...args)
    return [name, name.endsWith('Sync') ? sync : async]
  })
  return {
    calls: Object.fromEntries(wrapped) as FileCalls,
    count: () => made,
    arm(at, slippedIn) {
      made = 0
      armedAt = at
      act = slippedIn
    },
  }
}

export function systemFailure(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: slipped in`), { code })
}
