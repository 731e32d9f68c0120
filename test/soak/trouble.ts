/** What machines and networks do: processes die, sleep and come back, servers end and start, requests go astray. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../../src/model/clock.ts'
import type { Fault, TestProxy } from '../support/proxy.ts'
import type { RunningServer } from '../support/servers.ts'
import type { Serving } from './serving.ts'

export interface Member {
  readonly serving: Serving
  /** The way to the server, of this instance alone. */
  readonly proxy: TestProxy
  /** Is never killed nor stopped, so that what it uses can be followed over the whole soak. */
  readonly isSteady: boolean
}

const faults: readonly Fault[] = [
  { kind: 'answer', status: 503, body: 'busy' },
  { kind: 'answer', status: 404, body: 'not found' },
  { kind: 'answer', status: 200, headers: { 'content-type': 'text/html' }, body: '<html>log in</html>' },
  { kind: 'drop-reply' },
  { kind: 'drop-request' },
  { kind: 'duplicate' },
  { kind: 'cut-request', bytes: 100 },
  { kind: 'cut-response', bytes: 100 },
  { kind: 'delay', ms: 1_500 },
  { kind: 'hang' },
]

/** One kind of trouble after the other, until `heal`. */
export class Trouble {
  readonly counts: Record<string, number> = {}
  private readonly members: readonly Member[]
  private readonly server: RunningServer
  private readonly random: Random
  private readonly say: (text: string) => void
  private readonly busy = new Set<string>()
  private readonly underWay = new Set<Promise<void>>()
  private healing = new AbortController()
  private failure: unknown = null
  /** Until when each was last disturbed, by `performance.now()`. */
  private readonly disturbedUntil = new Map<string, number>()

  constructor(options: {
    readonly members: readonly Member[]
    readonly server: RunningServer
    readonly random: Random
    readonly say: (text: string) => void
  }) {
    this.members = options.members
    this.server = options.server
    this.random = options.random
    this.say = options.say
  }

  /** Whether the instance was left alone since then. */
  wasLeftAlone(instance: string, sinceMs: number): boolean {
    if (this.busy.has(instance) || this.busy.has('server')) return false
    const last = Math.max(this.disturbedUntil.get(instance) ?? 0, this.disturbedUntil.get('server') ?? 0)
    return last < sinceMs
  }

  /** Begins the next one, unless whom it would meet is in trouble already. Throws what went wrong in an earlier one. */
  begin(): void {
    if (this.failure !== null) throw this.failure
    const chance = this.random.fraction()
    const member = this.members[Math.floor(this.random.fraction() * this.members.length)]
    if (member === undefined || this.healing.signal.aborted) return
    if (chance < 0.15) this.run('server', 'server', () => this.endServer())
    else if (chance < 0.4) this.run(member.serving.name, 'network', () => this.spoil(member))
    else if (chance < 0.65) this.run(member.serving.name, 'pause', () => this.pause(member.serving))
    else if (member.isSteady) return
    else if (chance < 0.92) this.run(member.serving.name, 'kill', () => this.kill(member.serving))
    else this.run(member.serving.name, 'stop', () => this.stop(member.serving))
  }

  /** Everything goes on; resolves when it does. */
  async heal(): Promise<void> {
    this.healing.abort()
    await Promise.all(this.underWay)
    this.healing = new AbortController()
    if (this.failure !== null) throw this.failure
  }

  private run(whom: string, kind: string, trouble: () => Promise<void>): void {
    if (this.busy.has(whom)) return
    this.busy.add(whom)
    this.counts[kind] = (this.counts[kind] ?? 0) + 1
    const work = trouble()
      .catch((error: unknown) => {
        this.failure ??= error
      })
      .finally(() => {
        this.busy.delete(whom)
        this.disturbedUntil.set(whom, performance.now())
        this.underWay.delete(work)
      })
    this.underWay.add(work)
  }

  /** Up to that long, or until everything is healed. */
  private async last(secondsMax: number): Promise<void> {
    const ms = Math.round(1_000 * secondsMax * this.random.fraction() ** 2) + 200
    await sleep(ms, undefined, { signal: this.healing.signal }).catch(() => undefined)
  }

  private async endServer(): Promise<void> {
    this.say('the server is killed')
    await this.server.kill()
    await this.last(30)
    await this.server.restart()
    this.say('the server is back')
  }

  private async spoil({ serving, proxy }: Member): Promise<void> {
    const fault = faults[Math.floor(this.random.fraction() * faults.length)] as Fault
    const kind = fault.kind === 'answer' ? `answer ${fault.status}` : fault.kind
    this.say(`${serving.name}: network: ${kind}`)
    // Some only now and then, some all the time.
    const rules = this.random.fraction() < 0.5 ? [0, 3, 7, 12, 20] : null
    if (rules === null) proxy.spoil({ fault })
    else for (const after of rules) proxy.spoil({ fault, after, times: 1 })
    await this.last(20)
    proxy.heal()
  }

  private async pause(serving: Serving): Promise<void> {
    this.say(`${serving.name}: SIGSTOP`)
    serving.pause()
    await this.last(60)
    serving.resume()
  }

  private async kill(serving: Serving): Promise<void> {
    this.say(`${serving.name}: SIGKILL`)
    await serving.kill()
    await this.last(20)
    await serving.start()
  }

  private async stop(serving: Serving): Promise<void> {
    this.say(`${serving.name}: SIGTERM`)
    if (!(await serving.stop())) throw new Error(`${serving.name} did not end within a minute of SIGTERM`)
    await this.last(10)
    await serving.start()
  }
}
