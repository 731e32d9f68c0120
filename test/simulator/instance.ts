/**
 * One instance in the simulation: the real index, remote and engine over a simulated disk, server and clock. It can be
 * killed between any two of its calls, lose its power, and be started again on what is left.
 */
import fs from 'node:fs'
import type { Database } from '../../src/database/database.ts'
import { openDatabase } from '../../src/database/open-database.ts'
import { FileVerbs } from '../../src/instance/file-verbs.ts'
import { disownCandidates } from '../../src/instance/identity.ts'
import type { Changeset } from '../../src/model/changeset.ts'
import type { ConflictPolicy } from '../../src/model/conflict.ts'
import type { EventDraft } from '../../src/model/event.ts'
import type { FilePath } from '../../src/model/file-state.ts'
import type { JsonObject } from '../../src/model/json.ts'
import type { RunSummary } from '../../src/model/run.ts'
import { textMerger } from '../../src/reconcile/merge-text.ts'
import type { Transport, TransportRequest, TransportResponse } from '../../src/remote/transport.ts'
import { openWebdavRemote } from '../../src/remote/webdav-remote.ts'
import { withRetry } from '../../src/remote/with-retry.ts'
import type { SyncContext } from '../../src/sync/context.ts'
import { Engine } from '../../src/sync/engine.ts'
import type { RunRequest } from '../../src/sync/job.ts'
import { trashAgeMs } from '../../src/sync/maintenance.ts'
import { recover } from '../../src/sync/recover.ts'
import { type Resolution, resolveConflict } from '../../src/sync/resolve.ts'
import { verifyPulled } from '../../src/sync/verify-pulled.ts'
import type { FileCalls } from '../../src/workspace/file-calls.ts'
import { openFolderWorkspace, type RememberedRoot } from '../../src/workspace/folder-workspace.ts'
import type { Workspace, WorkspaceChange } from '../../src/workspace/workspace.ts'
import { type Chance, createChance } from './chance.ts'
import { createSimulatedDisk, type SimulatedDisk } from './disk.ts'
import { type ClockSettings, createInstanceClock, guarded, Killed, Process } from './killable.ts'
import { Removals } from './removals.ts'
import type { SimulatedServer } from './server.ts'
import type { Trace } from './trace.ts'
import { Troubles } from './troubles.ts'
import type { World } from './world.ts'

export const rootPath = '/workspace'
const statePath = `${rootPath}/.davit`
const rootKey = 'workspace.root'

export interface InstanceSettings {
  readonly name: string
  readonly clock: ClockSettings
  /** Runs by itself, watching and polling; otherwise only when it is asked. */
  readonly isAuto: boolean
  readonly policy: ConflictPolicy
  readonly batch: number
  readonly checkpointBytesMin: number
  readonly durableFilesMax: number
  readonly maxDelete: { readonly fraction: number; readonly atLeast: number }
  /** Of file times. */
  readonly granularityMs: number
  /** Of a change on the disk not being told by the watcher. */
  readonly missedChanges: number
  /** Slower; so that the index can be copied and taken back. */
  readonly indexOnFile: boolean
}

/** Told of what an instance takes for settled. */
export interface ChainObserver {
  appended(instance: SimulatedInstance, changeset: Changeset, isOwn: boolean): void
  /** A run deleted more than it may without a person. */
  deletedTooMuch(instance: SimulatedInstance, what: string): void
}

interface Session {
  readonly process: Process
  readonly database: Database
  readonly context: SyncContext
  readonly engine: Engine
  readonly files: FileVerbs
}

let scratchFiles = 0

const writingCalls: ReadonlySet<string> = new Set([
  'writeSync',
  'write',
  'ftruncateSync',
  'fchmodSync',
  'futimesSync',
  'linkSync',
  'renameSync',
  'unlinkSync',
  'mkdirSync',
  'rmdirSync',
  'copyFile',
  'remove',
])

export class SimulatedInstance {
  readonly name: string
  readonly settings: InstanceSettings
  readonly disk: SimulatedDisk
  readonly clock: ReturnType<typeof createInstanceClock>
  readonly events: EventDraft[] = []
  readonly summaries: RunSummary[] = []
  /** Requests, as method and name. */
  readonly sent: string[] = []
  /** Of the process that runs now. */
  private requests = { underWay: 0 }
  /** Calls that changed something on its disk. */
  writes = 0
  id: string
  /** Thrown into the sea: it never comes back. */
  isGone = false
  /** Its index was lost or taken back in time once. */
  lostState = false
  /** It was taken back in time. */
  hasOldState = false
  private boots = 0
  readonly troubles: Troubles
  /** Calls that write to the workspace until it is killed. */
  private deathAfterWrites: number | null = null
  private slip: { left: number; readonly act: () => void } | null = null
  private starts = 0
  /** A person let pass whatever is deleted. */
  private isGuardLifted = false
  private readonly removals: Removals
  private session: Session | null = null
  /** Holds the lock of the state folder, and has not come to its session yet. */
  private starting: Process | null = null
  private database: Database
  private readonly indexFile: string
  private readonly listeners = new Set<(change: WorkspaceChange) => void>()
  /** What the watcher has seen and not told yet. */
  private readonly seen = new Set<() => void>()
  private readonly world: World
  private readonly server: SimulatedServer
  private readonly trace: Trace
  private readonly observer: ChainObserver
  private readonly chance: Chance
  private readonly seed: number

  constructor(options: {
    readonly settings: InstanceSettings
    readonly seed: number
    readonly world: World
    readonly server: SimulatedServer
    readonly trace: Trace
    readonly observer: ChainObserver
  }) {
    const { settings, seed, world } = options
    this.settings = settings
    this.removals = new Removals(settings.maxDelete)
    this.name = settings.name
    this.seed = seed
    this.world = world
    this.server = options.server
    this.trace = options.trace
    this.observer = options.observer
    this.chance = createChance(seed, `instance ${settings.name}`)
    this.id = this.chance.uuid()
    this.clock = createInstanceClock(world, () => this.session?.process ?? null, settings.clock)
    this.disk = createSimulatedDisk({
      now: () => this.clock.now(),
      granularityMs: settings.granularityMs,
    })
    this.disk.user.makeFolder(rootPath)
    this.troubles = new Troubles(this.disk)
    this.indexFile = settings.indexOnFile ? scratchFile() : ':memory:'
    this.database = this.emptyIndex()
  }

  /** Its workspace is not there: nobody can do anything with the files. */
  get isAway(): boolean {
    return this.troubles.isAway
  }

  get isRunning(): boolean {
    return this.session !== null && !this.session.process.isDead
  }

  get engine(): Engine {
    return this.running().engine
  }

  get context(): SyncContext {
    return this.running().context
  }

  get files(): FileVerbs {
    return this.running().files
  }

  get process(): Process {
    return this.running().process
  }

  /** The index as it is, for looking only: also while the instance is not running. */
  get index(): Database {
    return this.database
  }

  private running(): Session {
    if (this.session === null || this.session.process.isDead) throw new Error(`${this.name} is not running`)
    return this.session
  }

  // -- life --------------------------------------------------------------------------------------------------------

  get isStarting(): boolean {
    return this.starting !== null
  }

  /** Resolves when it stands, or was killed on the way. */
  async start(): Promise<void> {
    this.isDark = false
    this.starts += 1
    const { process, boot } = this.prepare()
    this.starting = process
    try {
      await process.orDeath(boot())
    } finally {
      if (this.starting === process) this.starting = null
    }
  }

  private prepare(): { readonly process: Process; readonly boot: () => Promise<void> } {
    const chance = createChance(this.seed, `${this.name} start ${this.starts}`)
    let kill = () => {}
    const process = new Process(this.world, () => {
      this.trace.note(this.name, 'killed')
      kill()
    })
    const files = this.disk.process({
      before: (call) => {
        process.step()
        if (writingCalls.has(call.name)) {
          this.writes += 1
          if (this.deathAfterWrites !== null && --this.deathAfterWrites <= 0) {
            this.deathAfterWrites = null
            process.killAfter(1)
            process.step()
          }
        }
        this.slipIn()
        this.troubles.before(call)
      },
    })
    kill = () => files.kill()
    return { process, boot: () => this.boot(process, files.calls, chance) }
  }

  private async boot(process: Process, fileCalls: FileCalls, chance: Chance): Promise<void> {
    const database = this.openIndex(process)
    const speaker = () => ({ id: this.id, name: this.name, incarnation: `${this.name}-${this.starts}` })
    const { clock, settings } = this
    const retry = { attempts: 3, baseMs: 100, maxMs: 2_000 }
    const remote = openWebdavRemote({
      transport: withRetry(this.connect(process), { ...retry, clock, random: chance }),
      instance: speaker,
      clock,
      random: chance,
      onFork: (heads) =>
        this.emit({ type: 'remote.fork', data: { heads: heads.map(({ version }) => version) } }),
    })
    const folder = await openFolderWorkspace({
      root: rootPath,
      stateFolder: statePath,
      identity: {
        read: () => database.settings.get(rootKey) as RememberedRoot | null,
        write: (value) => database.settings.set(rootKey, value as unknown as JsonObject),
      },
      ignore: [],
      watch: { mode: 'off', debounceMs: 20 },
      clock,
      random: chance,
      trashReserveBytes: 0,
      fileCalls,
    })
    const workspace: Workspace = { ...folder, watch: async (listener) => this.watch(process, listener) }
    const context: SyncContext = {
      workspace,
      remote,
      database,
      clock,
      random: chance,
      merger: textMerger,
      instance: speaker,
      settings: {
        batch: settings.batch,
        concurrency: 4,
        maxDelete: settings.maxDelete,
        policyFor: () => settings.policy,
        checkpointBytesMin: settings.checkpointBytesMin,
        durableFilesMax: settings.durableFilesMax,
        retry,
      },
      emit: (event) => this.emit(event),
      emitAll: (events) => {
        for (const event of events) this.emit(event)
      },
    }
    const engine = new Engine(context, {
      mode: settings.isAuto ? 'auto' : 'manual',
      pollMs: 10_000,
      fullScanMs: settings.isAuto ? 60_000 : 0,
      watch: settings.isAuto,
      create: true,
    })
    this.session = { process, database, context, engine, files: new FileVerbs(context, engine) }
    this.trace.note(this.name, 'starts')
    // As the instance's composition does it at each start.
    const known = database.settings.get(rootKey)
    const root = await workspace.rootState()
    if (known === null || root.kind === 'present')
      await workspace.renewMarker(chance.hex(16), { onlyRemembered: known !== null })
    await workspace.cleanUp({ trashAgeMs, nowMs: clock.now() })
    if (root.kind === 'present') await verifyPulled(context, `boot ${this.boots}`)
    if (settings.isAuto) await engine.start()
  }

  kill(): void {
    this.starting?.kill()
    this.starting = null
    this.session?.process.kill()
    this.session = null
    this.listeners.clear()
  }

  /** The machine stops: what the disk was not made to write may be gone. */
  powerCut(): void {
    this.kill()
    this.isDark = true
    this.disk.powerCut(this.chance)
    this.boots += 1
  }

  /** Lost power, and was not started since. */
  isDark = false

  /** The index is gone, and with it the identity. */
  loseState(): void {
    this.kill()
    this.disk.user.remove(statePath)
    this.id = this.chance.uuid()
    this.lostState = true
    this.database.close()
    removeScratch(this.indexFile)
    this.database = this.emptyIndex()
  }

  private emptyIndex(): Database {
    const instance = () => this.id
    if (this.indexFile === ':memory:')
      return openDatabase({ file: ':memory:', image: freshIndex(), instance })
    fs.writeFileSync(this.indexFile, freshIndex())
    return openDatabase({ file: this.indexFile, instance })
  }

  /** Only with `indexOnFile`. */
  copyIndex(): Uint8Array {
    this.database.makeDurable()
    return fs.readFileSync(this.indexFile)
  }

  /** The index as it was: restored by somebody from a backup, without the workspace. */
  restoreIndex(copy: Uint8Array): void {
    this.kill()
    this.lostState = true
    this.hasOldState = true
    this.database.close()
    removeScratch(this.indexFile)
    fs.writeFileSync(this.indexFile, copy)
    this.database = openDatabase({ file: this.indexFile, instance: () => this.id })
    const former = this.id
    this.id = this.chance.uuid()
    disownCandidates(this.database, former)
  }

  close(): void {
    this.kill()
    this.database.close()
    removeScratch(this.indexFile)
  }

  // -- verbs -------------------------------------------------------------------------------------------------------

  /** `null`: it was killed before the run had ended. */
  sync(request: Partial<RunRequest> = {}): Promise<RunSummary | null> {
    const { process, engine } = this.running()
    if (request.force === true) this.isGuardLifted = true
    const work = async () => {
      const summary = await process.answer(engine.request({ trigger: 'command', ...request }).finished)
      this.trace.note(this.name, `run ended: ${summary.outcome} at ${summary.version}`)
      this.summaries.push(summary)
      return summary
    }
    return process.orDeath(work())
  }

  resolve(resolution: Resolution): Promise<unknown> {
    const { context, engine } = this.running()
    return this.doing(async () => {
      await engine.exclusively((signal) => resolveConflict(context, resolution, signal))
      engine.noteWork()
    })
  }

  /** As the instance does it: nothing else is under way meanwhile. */
  recover(choice: 'republish' | 'adopt'): Promise<unknown> {
    const { context, engine } = this.running()
    return this.doing(async () => {
      await engine.exclusively(async (signal) => {
        if (choice === 'adopt') await context.workspace.renewMarker(context.random.hex(16))
        await recover(context, choice, signal)
      })
      engine.liftHalt()
    })
  }

  get isAsking(): boolean {
    return this.requests.underWay > 0
  }

  /** Work of the process; it ends with it. */
  doing<T>(work: () => Promise<T>): Promise<T | null> {
    return this.running().process.orDeath(work())
  }

  /** A user or program changed these paths: the watcher tells, late, or not at all. */
  touched(paths: readonly FilePath[]): void {
    for (const listener of [...this.listeners]) {
      if (this.chance.happens(this.settings.missedChanges)) continue
      const tell = () => {
        if (this.seen.delete(tell) && this.listeners.has(listener)) listener({ kind: 'paths', paths })
      }
      this.seen.add(tell)
      this.world.after(this.chance.between(20, 400), tell)
    }
  }

  /** Before so many file calls from now somebody does something to the files. */
  slipInAfter(calls: number, act: () => void): void {
    this.slip = { left: calls, act }
  }

  /** It dies at that call which writes something to its disk. */
  killAfterWrites(calls: number): void {
    this.deathAfterWrites = calls
  }

  /** Nothing that was arranged for it happens any more. */
  isSafe(): void {
    this.slip = null
    this.deathAfterWrites = null
    this.troubles.end()
    this.session?.process.killAfter(Number.POSITIVE_INFINITY)
  }

  private slipIn(): void {
    if (this.slip === null || --this.slip.left > 0) return
    const { act } = this.slip
    this.slip = null
    if (this.isAway) return
    this.trace.note(this.name, 'somebody slips in')
    act()
  }

  // -- ports -------------------------------------------------------------------------------------------------------

  private emit(event: EventDraft): void {
    this.events.push(event)
    this.watchRemovals(event)
    if (event.type !== 'sync.progress') this.trace.note(this.name, `${event.type} ${shortened(event.data)}`)
  }

  private watchRemovals({ type, data }: EventDraft): void {
    if (type === 'sync.started') this.removals.begins(this.database)
    else if (type === 'sync.completed' || type === 'sync.failed' || type === 'sync.halted') {
      const what = this.removals.ends(this.database, data['summary'] as unknown as RunSummary)
      if (what !== null && !this.isGuardLifted) this.observer.deletedTooMuch(this, what)
    }
  }

  private watch(process: Process, listener: (change: WorkspaceChange) => void) {
    const told = (change: WorkspaceChange) => process.deliver(() => listener(change))
    this.listeners.add(told)
    return {
      mode: 'native' as const,
      fallback: null,
      // As the port asks for: what changed before the call is told by then, or it is not known whether it is.
      flush: async () => {
        if (this.settings.missedChanges > 0) return false
        for (const tell of [...this.seen]) tell()
        return true
      },
      close: async () => {
        this.listeners.delete(told)
      },
    }
  }

  private openIndex(process: Process): Database {
    let isOpen = false
    let told: (() => void)[] = []
    return guarded(this.database, process, {
      transaction: (original) => (work: () => unknown) => {
        if (isOpen) return (original as (work: () => unknown) => unknown)(work)
        process.step()
        isOpen = true
        told = []
        try {
          const result = (original as (work: () => unknown) => unknown)(work)
          for (const tell of told) tell()
          return result
        } finally {
          isOpen = false
          process.step()
        }
      },
      'chain.append': (original) => (changeset: Changeset) => {
        const isOwn = this.database.chain.attempts().some(({ point }) => point.hash === changeset.point.hash)
        ;(original as (changeset: Changeset) => void)(changeset)
        told.push(() => {
          this.removals.applied(this.database, changeset, isOwn)
          this.observer.appended(this, changeset, isOwn)
        })
      },
      makeDurable: (original) => () => {
        process.step()
        ;(original as () => void)()
      },
      writeCheckpoint: () => (file: string) => {
        process.step()
        onScratchFile((scratch) => {
          this.database.writeCheckpoint(scratch)
          this.disk.user.write(file, fs.readFileSync(scratch), { inPlace: true })
        })
      },
      openCheckpoint: () => (file: string) => {
        process.step()
        const bytes = this.disk.user.read(file)
        if (bytes === null) throw new Error(`no checkpoint at ${file}`)
        const scratch = scratchFile()
        fs.writeFileSync(scratch, bytes)
        const reader = this.database.openCheckpoint(scratch)
        return {
          ...reader,
          close: () => {
            reader.close()
            removeScratch(scratch)
          },
        }
      },
      close: () => () => {},
    })
  }

  private connect(process: Process): Transport {
    const wire = this.server.connect({ name: this.name, clock: this.world.clock })
    const requests = { underWay: 0 }
    this.requests = requests
    return {
      url: wire.url,
      foldersAbove: wire.foldersAbove,
      traffic: () => wire.traffic(),
      close: async () => {},
      request: async (request: TransportRequest): Promise<TransportResponse> => {
        process.step()
        this.sent.push(`${request.method} ${request.name}`)
        const to = request.destination === undefined ? '' : ` → ${request.destination}`
        const what = `${request.method} ${request.name}${to}`
        requests.underWay += 1
        try {
          const response = await process.answer(wire.request(request))
          this.trace.note(this.name, `${what}: ${response.status}`)
          process.step()
          return response
        } catch (error) {
          if (!(error instanceof Killed)) this.trace.note(this.name, `${what}: ${(error as Error).message}`)
          throw error
        } finally {
          requests.underWay -= 1
        }
      },
    }
  }
}

function shortened(data: JsonObject): string {
  const text = JSON.stringify(data)
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}

let fresh: Uint8Array | null = null

/** A new index as a file: migrated once for all instances. */
function freshIndex(): Uint8Array {
  fresh ??= onScratchFile((file) => {
    openDatabase({ file, instance: () => '' }).close()
    return fs.readFileSync(file)
  })
  return fresh
}

const scratchFolder = fs.existsSync('/dev/shm') ? '/dev/shm' : '/tmp'

function scratchFile(): string {
  scratchFiles += 1
  return `${scratchFolder}/davit-simulator-${globalThis.process.pid}-${scratchFiles}.db`
}

function removeScratch(file: string): void {
  if (file === ':memory:') return
  for (const suffix of ['', '-wal', '-shm', '-journal']) fs.rmSync(file + suffix, { force: true })
}

/** The file is removed at once; what was opened on it stays open. */
function onScratchFile<T>(work: (file: string) => T): T {
  const file = scratchFile()
  try {
    return work(file)
  } finally {
    removeScratch(file)
  }
}
