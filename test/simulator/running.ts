/** Runs what the verbs describe: lets time pass between their steps, gives up waiting clients, crashes, settles. */
import type { Clock, Random } from '../../src/model/clock.ts'
import type { MaybeAnswer } from './answers.ts'
import type { Faults, OutageKind } from './faults.ts'
import type { ServerProfile } from './profiles.ts'
import type { Caller, ServerSide } from './server-side.ts'
import type { Tree } from './tree.ts'
import { type Effect, type Execution, execute, type Pause, type ServerState } from './verbs.ts'

export interface RunningOptions {
  readonly profile: ServerProfile
  readonly tree: Tree
  readonly root: string
  readonly clock: Clock
  readonly random: Random
  readonly latencyMs: { readonly min: number; readonly max: number }
  readonly faults: () => Faults
  readonly count: (what: string) => void
  readonly onEffect: (effect: Effect) => void
  readonly outage: () => OutageKind | null
  readonly startOutage: (kind?: OutageKind, ms?: number) => void
}

export interface RunningServer extends ServerSide {
  settle(how: 'run' | 'drop'): void
  astray(): number
}

interface Waiter {
  resolve(answer: MaybeAnswer): void
  reject(error: unknown): void
}

/** A request under way, on the server or on its way there. */
interface Underway {
  readonly execution: Execution
  /** What has not arrived survives a restart of the server. */
  hasArrived: boolean
  /** Rejects the waiting client; `null` once nobody waits. */
  waiter: Waiter | null
  isOver: boolean
}

export function createServerSide(options: RunningOptions): RunningServer {
  const { clock, count, root } = options
  const underway = new Set<Underway>()

  const state: ServerState = {
    profile: options.profile,
    tree: options.tree,
    clock,
    random: options.random,
    get faults() {
      return options.faults()
    },
    busy: new Set(),
    count,
    tell(request, change) {
      const name = nameBelow(root, change.path)
      if (name === null) return
      options.onEffect({
        kind: change.kind,
        method: request.method,
        client: request.client,
        name,
        target: change.target === undefined ? null : nameBelow(root, change.target),
        bytes: change.bytes ?? null,
        isWhole: change.isWhole ?? true,
        atMs: clock.monotonic(),
      })
    },
  }

  function finish(one: Underway, answer: MaybeAnswer): void {
    one.isOver = true
    underway.delete(one)
    one.waiter?.resolve(answer)
    one.waiter = null
  }

  /** Lets the steps of one request happen at their times. */
  async function drive(one: Underway, first: Pause, caller: Caller | null): Promise<void> {
    let waitedMs = 0
    for (let pause = first; ; ) {
      if (one.waiter !== null && caller !== null && !pause.isMoving) {
        waitedMs += pause.ms
        if (waitedMs > caller.timeoutMs) leave(one, caller, caller.timeoutMs - (waitedMs - pause.ms))
      }
      await clock.sleep(pause.ms)
      if (one.isOver) return
      one.hasArrived = true
      const step = one.execution.next()
      if (step.done === true) return finish(one, step.value)
      pause = step.value
    }
  }

  /** The client stops waiting after so long; the server goes on. */
  function leave(one: Underway, caller: Caller, afterMs: number): void {
    const { waiter } = one
    one.waiter = null
    count('given up')
    const reject = (error: unknown) => waiter?.reject(error)
    caller.clock
      .sleep(afterMs, caller.signal)
      .then(() => reject(caller.broken('UND_ERR_HEADERS_TIMEOUT')), reject)
  }

  function start(execution: Execution, first: Pause, caller: Caller): Promise<MaybeAnswer> {
    return new Promise((resolve, reject) => {
      const { signal } = caller
      const abort = () => {
        one.waiter = null
        reject(signal?.reason)
      }
      const over = <T>(tell: (value: T) => void) => {
        return (value: T) => {
          signal?.removeEventListener('abort', abort)
          tell(value)
        }
      }
      const waiter: Waiter = { resolve: over(resolve), reject: over(reject) }
      const one: Underway = { execution, hasArrived: true, waiter, isOver: false }
      underway.add(one)
      signal?.addEventListener('abort', abort)
      drive(one, first, caller).catch(waiter.reject)
    })
  }

  function end(one: Underway): void {
    one.isOver = true
    underway.delete(one)
    // Runs the `finally` of the verb: its locks and temporary names go.
    one.execution.return(null)
  }

  function restart(): void {
    for (const one of [...underway]) {
      if (!one.hasArrived) continue
      count('killed')
      end(one)
      one.waiter?.resolve(null)
      one.waiter = null
    }
    options.startOutage('refused')
  }

  return {
    root,
    sendsDate: options.profile.date,
    clock,
    random: options.random,
    latencyMs: options.latencyMs,
    get faults() {
      return options.faults()
    },
    count,
    outage: options.outage,
    startOutage: () => options.startOutage(),
    restart,
    run(request, caller) {
      const execution = execute(state, request)
      const step = execution.next()
      return step.done === true ? step.value : start(execution, step.value, caller)
    },
    runLater(request, ms) {
      const one: Underway = {
        execution: execute(state, request),
        hasArrived: false,
        waiter: null,
        isOver: false,
      }
      underway.add(one)
      void drive(one, { ms, isMoving: true }, null)
    },
    settle(how) {
      for (const one of [...underway]) {
        if (one.waiter !== null || one.isOver) continue
        if (how === 'run')
          for (let step = one.execution.next(); step.done !== true; ) step = one.execution.next()
        end(one)
      }
    },
    astray: () => [...underway].filter((one) => one.waiter === null).length,
    cache: new Map(),
  }
}

/** `null` for what lies elsewhere on the server. */
function nameBelow(root: string, path: string): string | null {
  if (root === '') return path
  return path.startsWith(`${root}/`) ? path.slice(root.length + 1) : null
}
