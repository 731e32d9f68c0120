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
  /** Before call number `at` (from 0) `act` runs; what it throws the call throws. */
  arm(at: number, act: (call: UpcomingCall) => void): void
}

export function interposeCalls(): InterposedCalls {
  let made = 0
  let armedAt = Number.POSITIVE_INFINITY
  let act: (call: UpcomingCall) => void = () => undefined
  const names = Object.keys({
    closeSync: 0,
    fchmodSync: 0,
    fchownSync: 0,
    fstatSync: 0,
    futimesSync: 0,
    linkSync: 0,
    lstatSync: 0,
    mkdirSync: 0,
    openSync: 0,
    readdirSync: 0,
    readlinkSync: 0,
    realpathSync: 0,
    renameSync: 0,
    rmdirSync: 0,
    statfsSync: 0,
    unlinkSync: 0,
  } satisfies Record<keyof FileCalls, 0>) as (keyof FileCalls)[]
  const wrapped = names.map((name) => {
    const original = systemFileCalls[name] as (...args: unknown[]) => unknown
    const call = (...args: unknown[]) => {
      if (made++ === armedAt) act({ name, args })
      return original(...args)
    }
    return [name, call]
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
