/**
 * The soak: several real instances on one real server, with people and programs at work and trouble of every kind, for
 * as long as one likes; every few minutes everything rests and is checked. See `scripts/soak.mjs`.
 */
import { appendFileSync, mkdirSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startProxy } from '../support/proxy.ts'
import {
  isInstalled,
  type RunningServer,
  type ServerKind,
  serverKinds,
  startServer,
} from '../support/servers.ts'
import { createSeededRandom } from '../support/virtual-clock.ts'
import { type Agreed, check } from './check.ts'
import { HashCache, sizeOf } from './contents.ts'
import { Crowd, mayBeIgnored } from './crowd.ts'
import { History } from './history.ts'
import type { Violation } from './oracle.ts'
import { isUnanswered, Programs, type RunSeen, runMsMax } from './programs.ts'
import { Serving } from './serving.ts'
import { type Member, Trouble } from './trouble.ts'
import { findDrift, type UsageRow, usageHeader, usageLine } from './usage.ts'

export interface SoakOptions {
  readonly minutes: number
  readonly server: string
  readonly instances: number
  readonly seed: number
  readonly checkEveryMinutes: number
  /** About how many there are at any time. */
  readonly files: number
  /** The folder stays although nothing was found. */
  readonly keep: boolean
}

export interface SoakResult {
  readonly violations: readonly Violation[]
  /** Where everything lies; gone when nothing was found, unless it was to be kept. */
  readonly folder: string
}

/** Pauses between gestures, and between two kinds of trouble. */
const gestureMs = 450
const troubleMs = 12_000
const statusEveryMs = 5_000
const toldGestures = 25

export async function soak(options: SoakOptions): Promise<SoakResult> {
  const kind = serverKinds.find((each) => each === options.server)
  if (kind === undefined)
    throw new Error(`no server '${options.server}'; there are ${serverKinds.join(', ')}`)
  if (!isInstalled(kind)) throw new Error(`${kind} is not installed`)
  const folder = await mkdtemp(join(tmpdir(), 'davit-soak-'))
  // The server may work as another user.
  await chmod(folder, 0o755)
  const run = new Soak(options, kind, folder)
  const violations = await run.run()
  if (violations.length === 0 && !options.keep) await rm(folder, { recursive: true, force: true })
  return { violations, folder }
}

class Soak {
  private readonly options: SoakOptions
  private readonly kind: ServerKind
  private readonly folder: string
  private readonly startedAt = performance.now()
  private readonly history: History
  private readonly violations: Violation[] = []
  private readonly rows: UsageRow[] = []
  private readonly cache = new HashCache()
  private readonly random: (stream: number) => ReturnType<typeof createSeededRandom>
  private members: Member[] = []
  private programs: Programs | null = null
  private trouble: Trouble | null = null
  private slowestRunMs = 0
  private slowestQuietMs = 0

  constructor(options: SoakOptions, kind: ServerKind, folder: string) {
    this.options = options
    this.kind = kind
    this.folder = folder
    this.random = (stream) => createSeededRandom(options.seed * 10 + stream)
    this.history = new History(
      () => this.elapsedMs(),
      (gesture) => appendFileSync(join(folder, 'gestures.ndjson'), `${JSON.stringify(gesture)}\n`),
    )
  }

  private elapsedMs(): number {
    return Math.round(performance.now() - this.startedAt)
  }

  private say(text: string, isShown = true): void {
    const seconds = this.elapsedMs() / 1_000
    const line = `${String(Math.floor(seconds / 60)).padStart(4)}:${(seconds % 60).toFixed(1).padStart(4, '0')}  ${text}\n`
    appendFileSync(join(this.folder, 'soak.log'), line)
    if (isShown) process.stdout.write(line)
  }

  private violate(rule: string, detail: string): void {
    this.violations.push({ rule, path: null, detail })
  }

  async run(): Promise<readonly Violation[]> {
    const { options, folder } = this
    this.say(`soak ${JSON.stringify(options)} in ${folder}`)
    await mkdir(join(folder, 'server'))
    await chmod(join(folder, 'server'), 0o755)
    mkdirSync(join(folder, 'graveyard'))
    const server = await startServer(this.kind, { folder: join(folder, 'server') })
    // Nothing that was started outlives this process, however it ends.
    const killAll = () => {
      const pids = this.members.flatMap(({ serving }) => (serving.isRunning ? [serving.pid] : []))
      const group = server.group()
      for (const pid of [...pids, group === null ? null : -group])
        try {
          if (pid !== null) process.kill(pid, 'SIGKILL')
        } catch {
          // It has ended by itself.
        }
    }
    process.once('exit', killAll)
    try {
      await this.open(server)
      await this.work(server)
    } catch (error) {
      this.violate('L8', error instanceof Error ? (error.stack ?? error.message) : String(error))
    } finally {
      await this.close(server)
      process.off('exit', killAll)
    }
    this.report()
    return this.violations
  }

  private async open(server: RunningServer): Promise<void> {
    for (let index = 0; index < this.options.instances; index++) {
      const proxy = await startProxy(server.url)
      const name = `inst-${index + 1}`
      const serving = new Serving({ name, folder: this.folder, remote: `${proxy.url}/store` })
      this.members.push({ serving, proxy, isSteady: index === 0 })
      await serving.prepare()
    }
    this.programs = new Programs({
      random: this.random(2),
      history: this.history,
      now: () => performance.now(),
      onRun: (run) => this.judgeRun(run),
    })
    this.trouble = new Trouble({
      members: this.members,
      server,
      random: this.random(3),
      say: (text) => this.say(text, false),
    })
  }

  private async work(server: RunningServer): Promise<void> {
    const { options, members, history, trouble, programs } = this
    if (trouble === null || programs === null) return
    const crowd = new Crowd({
      random: this.random(1),
      history,
      graveyard: join(this.folder, 'graveyard'),
      filesWanted: options.files,
    })
    const first = members[0]?.serving
    if (first === undefined) return
    crowd.fill(first)
    for (const { serving } of members) await serving.start()
    this.say(`${members.length} instances run, ${options.files} files`)
    process.stdout.write(`${usageHeader}\n`)

    let agreed: Agreed = { tree: new Map(), conflicts: new Map() }
    const everybody = members.map(({ serving }) => serving)
    const chance = this.random(4)
    const endsAt = performance.now() + options.minutes * 60_000
    while (this.violations.length === 0) {
      const isLast = performance.now() >= endsAt
      // ORDER: everything ends before the check looks; whatever was begun counts as done before it.
      await trouble.heal()
      await programs.settle()
      const upTo = history.last
      const outcome = await check({
        members,
        store: join(server.dataFolder, 'store'),
        history,
        labels: programs.labels,
        cache: this.cache,
        before: agreed,
        gestures: history.gestures.slice(programs.checkedUpTo, upTo),
      })
      this.slowestQuietMs = Math.max(this.slowestQuietMs, outcome.quietAfterMs)
      this.violations.push(...outcome.violations)
      await this.tellUsage(server, outcome)
      if (outcome.violations.length > 0 || isLast) break
      agreed = outcome.agreed
      programs.checkedUpTo = upTo
      for (const { name } of everybody) history.acknowledge(name, upTo, (path) => !mayBeIgnored(path))

      const until = Math.min(endsAt, performance.now() + options.checkEveryMinutes * 60_000)
      let nextTrouble = performance.now() + chance.fraction() * troubleMs
      let nextStatus = performance.now() + statusEveryMs
      while (performance.now() < until && this.violations.length === 0) {
        crowd.act(everybody)
        if (chance.fraction() < 0.3) programs.act(crowd.pick(everybody))
        if (performance.now() >= nextTrouble) {
          trouble.begin()
          nextTrouble = performance.now() + 2 * chance.fraction() * troubleMs
        }
        if (performance.now() >= nextStatus) {
          await this.look()
          nextStatus = performance.now() + statusEveryMs
        }
        // Now and then several at once, and sometimes a moment of rest.
        await sleep(chance.fraction() < 0.2 ? 0 : 2 * chance.fraction() * gestureMs)
      }
    }
    for (const finding of findDrift(this.rows)) this.violate('drift', finding)
  }

  /** Between two checks: nobody halts, nobody ends by itself. */
  private async look(): Promise<void> {
    await Promise.all(
      this.members.map(async ({ serving, proxy }) => {
        proxy.forget()
        if (serving.hasFallen) this.violate('L8', `${serving.name} ended by itself; see ${serving.logFile}`)
        if (!serving.isRunning || serving.isPaused) return
        try {
          const { body } = await serving.call<{
            state: string
            lastError: { code: string; message: string } | null
          }>('GET', '/sync/status', undefined, { timeoutMs: 2_000 })
          if (body.state === 'halted')
            this.violate('L8', `${serving.name} halted: ${body.lastError?.code}: ${body.lastError?.message}`)
        } catch (error) {
          if (!isUnanswered(error)) throw error
        }
      }),
    )
  }

  /** L7: a run that nothing disturbs ends well, and in time. */
  private judgeRun({ instance, fromMs, toMs, outcome }: RunSeen): void {
    if (this.trouble?.wasLeftAlone(instance, fromMs - 20_000) !== true) return
    const tookMs = toMs - fromMs
    this.slowestRunMs = Math.max(this.slowestRunMs, tookMs)
    const ended = `a run of ${instance} ended ${outcome ?? 'without an answer'} after ${(tookMs / 1000).toFixed(1)} s`
    if (tookMs > runMsMax || outcome === 'halted' || outcome === 'unreachable' || outcome === null)
      this.violate('L7', ended)
    else if (outcome === 'failed') this.say(ended)
  }

  private async tellUsage(
    server: RunningServer,
    outcome: {
      readonly conflicts: number
      readonly quietAfterMs: number
      readonly statuses: readonly { instance: string; localVersion: number; files: number }[]
    },
  ): Promise<void> {
    for (const { serving } of this.members) {
      const usage = await serving.usage()
      const status = outcome.statuses.find(({ instance }) => instance === serving.name)
      if (usage === null || status === undefined) continue
      const minute = this.elapsedMs() / 60_000
      const row = {
        ...usage,
        minute,
        instance: serving.name,
        version: status.localVersion,
        files: status.files,
      }
      this.rows.push(row)
      this.say(usageLine(row))
    }
    const store = await sizeOf(join(server.dataFolder, 'store'))
    this.say(
      `checked: ${outcome.conflicts} conflicts open, quiet after ${(outcome.quietAfterMs / 1000).toFixed(1)} s, store ${(store.bytes / 1024 / 1024).toFixed(1)} MB in ${store.files} objects, ${this.history.last} gestures ${JSON.stringify(this.programs?.counts)} trouble ${JSON.stringify(this.trouble?.counts)}`,
    )
  }

  private async close(server: RunningServer): Promise<void> {
    await this.trouble?.heal().catch((error: unknown) => this.violate('L8', String(error)))
    for (const { serving } of this.members) {
      // What was found stays as it was found.
      if (this.violations.length > 0) await serving.kill()
      else if (serving.isRunning && !(await serving.stop()))
        this.violate('L8', `${serving.name} did not stop`)
    }
    await this.programs?.settle()
    for (const { proxy } of this.members) await proxy.stop()
    await server.stop()
  }

  private report(): void {
    const { options, violations, history } = this
    this.say(
      `longest: a run ${(this.slowestRunMs / 1000).toFixed(1)} s, until all was quiet ${(this.slowestQuietMs / 1000).toFixed(1)} s; started ${this.members.map(({ serving }) => `${serving.name} ${serving.starts}×`).join(', ')}`,
    )
    if (violations.length === 0) {
      this.say(`nothing found: ${history.last} gestures, seed ${options.seed}`)
      return
    }
    this.say(`${violations.length} VIOLATIONS, seed ${options.seed}; everything is in ${this.folder}`)
    for (const { rule, path, detail } of violations.slice(0, 50))
      this.say(`${rule}  ${path ?? ''}  ${detail}`)
    for (const path of new Set(violations.slice(0, 10).map((each) => each.path))) {
      if (path === null) continue
      this.say(`the last gestures about ${path}:`)
      for (const { number, atMs, instance, what, results, touches } of history
        .about(path)
        .slice(-toldGestures)) {
        const told = results.map((each) => `${each.path} = ${each.hash?.slice(0, 12) ?? 'nothing'}`)
        this.say(
          `  ${number} at ${(atMs / 1000).toFixed(1)} s  ${instance}  ${what}  ${[...told, ...(touches ?? [])].slice(0, 6).join(', ')}`,
        )
      }
    }
  }
}
