/** The simulated server as its connections see it. */
import type { Clock, Random } from '../../src/model/clock.ts'
import type { DavitError } from '../../src/model/errors.ts'
import type { Answer, ConnectionCode, MaybeAnswer } from './answers.ts'
import type { Faults, OutageKind } from './faults.ts'
import type { ServerRequest } from './verbs.ts'

/** Who waits for an answer. */
export interface Caller {
  /** By which this client measures its timeouts. */
  readonly clock: Clock
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
  /** The error of the real transport for a connection that breaks in this way. */
  readonly broken: (code: ConnectionCode) => DavitError
}

export interface ServerSide {
  readonly root: string
  readonly sendsDate: boolean
  readonly clock: Clock
  readonly random: Random
  readonly latencyMs: { readonly min: number; readonly max: number }
  readonly faults: Faults
  readonly count: (what: string) => void
  /** How nobody gets through at this moment, `null` when all do. */
  outage(): OutageKind | null
  startOutage(): void
  restart(): void
  /** Executes a request that has arrived; at once where nothing takes time. `null`: closed without an answer. */
  run(request: ServerRequest, caller: Caller): MaybeAnswer | Promise<MaybeAnswer>
  /** Executes it later, for nobody. */
  runLater(request: ServerRequest, ms: number): void
  /** What caches between here and there hold. */
  readonly cache: Map<string, { readonly answer: Answer; readonly atMs: number }>
}
