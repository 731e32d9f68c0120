/**
 * Ports of one process of Davit that can be killed between any two calls. What is called afterwards throws or never
 * answers: nothing that the dead process would still do has an effect.
 */
import type { Clock } from '../../src/model/clock.ts'
import type { World } from './world.ts'

export class Killed extends Error {
  constructor() {
    super('the process was killed')
  }
}

export class Process {
  isDead = false
  private left = Number.POSITIVE_INFINITY
  private readonly onKill: () => void
  private readonly mourners = new Set<() => void>()
  private held: (() => void)[] | null = null
  private readonly world: World
  /** Calls that reached the world outside. */
  calls = 0

  constructor(world: World, onKill: () => void) {
    this.world = world
    this.onKill = onKill
  }

  /** It dies at so many calls from now. */
  killAfter(calls: number): void {
    this.left = calls
  }

  kill(): void {
    if (this.isDead) return
    this.isDead = true
    this.onKill()
    for (const told of this.mourners) told()
    this.mourners.clear()
  }

  /** The outcome of work of the process; `null` once it is killed, since then there will be none. */
  orDeath<T>(work: Promise<T>): Promise<T | null> {
    return new Promise((resolve, reject) => {
      const told = () => resolve(null)
      if (this.isDead) told()
      this.mourners.add(told)
      work.then(
        (value) => {
          this.mourners.delete(told)
          resolve(value)
        },
        (error) => {
          this.mourners.delete(told)
          if (error instanceof Killed) resolve(null)
          else reject(error)
        },
      )
    })
  }

  /** Stops getting answers, as under SIGSTOP, for so long. */
  pause(ms: number): void {
    this.held ??= []
    this.world.after(ms, () => this.resume())
  }

  resume(): void {
    const { held } = this
    this.held = null
    for (const act of held ?? []) this.deliver(act)
  }

  /** Called at each call to the outside, before it: the place where the process may die. */
  step(): void {
    if (this.isDead) throw new Killed()
    this.calls += 1
    this.left -= 1
    if (this.left > 0) return
    this.kill()
    throw new Killed()
  }

  assertAlive(): void {
    if (this.isDead) throw new Killed()
  }

  /** Hands something from outside to the process: never when it is dead, later when it is paused. */
  deliver(act: () => void): void {
    if (this.isDead) return
    if (this.held !== null) this.held.push(act)
    else act()
  }

  /** The answer of the outside as the process gets it. */
  answer<T>(outside: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      outside.then(
        (value) => this.deliver(() => resolve(value)),
        (error) => this.deliver(() => reject(error)),
      )
    })
  }
}

export interface ClockSettings {
  readonly offsetMs: number
  /** 0.1: a tenth too fast. */
  readonly drift: number
}

/** An instance's own clocks: off by some time, too fast or too slow, and the wall clock may jump. */
export function createInstanceClock(
  world: World,
  process: () => Process | null,
  settings: ClockSettings,
): Clock & { jump(ms: number): void } {
  let jumpedMs = 0
  const pace = 1 + settings.drift
  return {
    now: () => Math.floor(world.clock.now() + world.nowMs * settings.drift + settings.offsetMs + jumpedMs),
    monotonic: () => world.nowMs * pace,
    jump(ms) {
      jumpedMs += ms
    },
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const sleeper = process()
        if (signal?.aborted === true) return reject(signal.reason)
        const abort = () => {
          cancel()
          reject(signal?.reason)
        }
        const cancel = world.after(ms / pace, () => {
          sleeper?.deliver(() => {
            signal?.removeEventListener('abort', abort)
            resolve()
          })
        })
        signal?.addEventListener('abort', abort, { once: true })
      }),
  }
}

type Anything = Record<PropertyKey, unknown>

/**
 * The object with every function throwing once the process is dead, nested objects too. `replaced` takes the place of
 * functions by their path, such as `chain.append`.
 */
export function guarded<T extends object>(
  target: T,
  process: Process,
  replaced: Readonly<Record<string, (original: (...args: never[]) => unknown) => unknown>> = {},
  prefix = '',
): T {
  const made = new Map<PropertyKey, unknown>()
  return new Proxy(target, {
    get(_, key) {
      const known = made.get(key)
      if (known !== undefined) return known
      const value = (target as Anything)[key]
      const name = `${prefix}${String(key)}`
      let wrapped: unknown = value
      if (typeof value === 'function') {
        const original = (...args: unknown[]) => {
          process.assertAlive()
          return value.apply(target, args)
        }
        wrapped = replaced[name]?.(original as (...args: never[]) => unknown) ?? original
      } else if (typeof value === 'object' && value !== null) {
        wrapped = guarded(value, process, replaced, `${name}.`)
      } else {
        return value
      }
      made.set(key, wrapped)
      return wrapped
    },
  })
}
