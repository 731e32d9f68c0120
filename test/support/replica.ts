/**
 * Whole instances without HTTP, in one process: each a real folder with its index and engine, all of them over one
 * in-memory WebDAV server. Nothing runs by itself; a test says who syncs when, and may step between a replica and the
 * server or between a replica and its folder.
 */
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { v7 } from 'uuid'
import { expect, onTestFinished } from 'vitest'
import type { Database } from '../../src/database/database.ts'
import { openDatabase } from '../../src/database/open-database.ts'
import type { Clock, Random } from '../../src/model/clock.ts'
import type { Conflict, ConflictPolicy, ResolutionStrategy } from '../../src/model/conflict.ts'
import { DavitError } from '../../src/model/errors.ts'
import type { EventDraft, EventType } from '../../src/model/event.ts'
import type { FileId, FilePath, FileTriple, Metadata } from '../../src/model/file-state.ts'
import type { JsonObject } from '../../src/model/json.ts'
import type { RunSummary } from '../../src/model/run.ts'
import { textMerger } from '../../src/reconcile/merge-text.ts'
import type { Remote } from '../../src/remote/remote.ts'
import type { Transport, TransportRequest, TransportResponse } from '../../src/remote/transport.ts'
import { openWebdavRemote } from '../../src/remote/webdav-remote.ts'
import { withRetry } from '../../src/remote/with-retry.ts'
import { durableFilesMax } from '../../src/sync/apply-local.ts'
import type { SyncContext } from '../../src/sync/context.ts'
import { Engine } from '../../src/sync/engine.ts'
import type { RunRequest } from '../../src/sync/job.ts'
import { checkpointBytesMin } from '../../src/sync/maintenance.ts'
import { recover } from '../../src/sync/recover.ts'
import { conflictRevision, type Resolution, resolveConflict } from '../../src/sync/resolve.ts'
import { openFolderWorkspace, type RememberedRoot } from '../../src/workspace/folder-workspace.ts'
import { hashFile } from '../../src/workspace/hash-file.ts'
import { createIgnoreRules, readIgnoreSource } from '../../src/workspace/ignore-rules.ts'
import { lookAt, walk } from '../../src/workspace/scan.ts'
import { isRacy } from '../../src/workspace/stamp.ts'
import type { Workspace } from '../../src/workspace/workspace.ts'
import { bodyOf, createMemoryDav, type MemoryDav } from './memory-dav.ts'
import { realClock } from './temporary-workspace.ts'

/** Passes requests on with `send`, or does something else with them. */
export type Network = (
  request: TransportRequest,
  send: (request: TransportRequest) => Promise<TransportResponse>,
) => Promise<TransportResponse>

export interface SentRequest {
  readonly method: string
  readonly name: string
  readonly bytes: number
  /** `null`: no answer came. */
  status: number | null
}

export interface TestClock extends Clock {
  /** Lets so many milliseconds pass. */
  advance(ms: number): void
}

/** The machine's clock, since files get their times from it; pauses take no time but count. */
export function createTestClock(): TestClock {
  let ahead = 0
  return {
    now: () => realClock.now() + ahead,
    monotonic: () => realClock.monotonic() + ahead,
    async sleep(ms, signal) {
      signal?.throwIfAborted()
      ahead += ms
      await new Promise((resolve) => setImmediate(resolve))
    },
    advance(ms) {
      ahead += ms
    },
  }
}

const random: Random = {
  hex: (bytes) => randomBytes(bytes).toString('hex'),
  uuid: () => v7(),
  fraction: () => randomBytes(4).readUInt32BE() / 2 ** 32,
}

const rootKey = 'workspace.root'

/** The same code as in the workspace's threads, without the time that it takes to start them. */
function withoutThreads(root: string, stateFolder: string): Partial<Workspace> {
  const readRules = () => createIgnoreRules(readIgnoreSource({ root, stateFolder, patterns: [] }))
  let rules = readRules()
  return {
    async *scan({ under }) {
      rules = readRules()
      yield* walk({ root, under, rules })
    },
    isIgnored: (target, kind = 'file') => rules.ignores(target, kind),
    look: async (target) => lookAt({ root, path: target, rules }),
    hash: async (target) => {
      const startedAtMs = realClock.now()
      const file = hashFile(root, target)
      return { ...file, racy: isRacy(file.stamp.mtimeMs, startedAtMs, realClock.now()) }
    },
  }
}

export class Replica {
  readonly name: string
  readonly root: string
  readonly clock: TestClock
  readonly dav: MemoryDav
  /** What it told, over restarts too. */
  readonly events: EventDraft[] = []
  /** What it sent, attempts that failed included. */
  readonly sent: SentRequest[] = []
  /** Steps of the workspace that a test replaces. */
  readonly disk: Partial<Workspace> = {}
  policy: ConflictPolicy = 'manual'
  batch = 1_000
  maxDelete = { fraction: 0.5, atLeast: 10 }
  mayCreate = true
  network: Network = (request, send) => send(request)
  id: string = v7()
  private readonly inMemory: boolean
  private opened: {
    readonly database: Database
    readonly workspace: Workspace
    readonly remote: Remote
    readonly context: SyncContext
    engine: Engine
  } | null = null

  constructor(options: {
    readonly name: string
    readonly root: string
    readonly clock: TestClock
    readonly dav: MemoryDav
    readonly inMemory: boolean
  }) {
    this.name = options.name
    this.root = options.root
    this.clock = options.clock
    this.dav = options.dav
    this.inMemory = options.inMemory
  }

  // -- life --------------------------------------------------------------------------------------------------------

  async open(): Promise<void> {
    const state = path.join(this.root, '.davit')
    fs.mkdirSync(state, { recursive: true })
    const file = this.inMemory ? ':memory:' : path.join(state, 'metadata.db')
    const database = openDatabase({ file, instance: () => this.id })
    const speaker = () => ({ id: this.id, name: this.name, incarnation: 'test' })
    const { clock } = this
    const retry = { attempts: 3, baseMs: 10, maxMs: 100 }
    const remote = openWebdavRemote({
      transport: withRetry(this.connect(), { ...retry, clock, random }),
      instance: speaker,
      clock,
      random,
    })
    const real = await openFolderWorkspace({
      root: this.root,
      stateFolder: state,
      identity: {
        read: () => database.settings.get(rootKey) as RememberedRoot | null,
        write: (value) => database.settings.set(rootKey, value as unknown as JsonObject),
      },
      ignore: [],
      watch: { mode: 'off', debounceMs: 20 },
      clock: realClock,
      random,
      trashReserveBytes: 0,
    })
    const { disk } = this
    const inThread = withoutThreads(this.root, state)
    const workspace = new Proxy(real, {
      get: (target, key) => Reflect.get(disk, key) ?? Reflect.get(inThread, key) ?? Reflect.get(target, key),
    })
    const self = this
    const context: SyncContext = {
      workspace,
      remote,
      database,
      clock,
      random,
      merger: textMerger,
      instance: speaker,
      settings: {
        get batch() {
          return self.batch
        },
        concurrency: 4,
        get maxDelete() {
          return self.maxDelete
        },
        policyFor: () => this.policy,
        checkpointBytesMin,
        durableFilesMax,
        retry,
      },
      emit: (event) => {
        this.events.push(event)
      },
      emitAll: (events) => {
        this.events.push(...events)
      },
    }
    const isKnown = database.settings.get(rootKey) !== null
    if (!isKnown || (await real.rootState()).kind === 'present') await real.renewMarker(random.hex(16))
    this.opened = { database, workspace, remote, context, engine: this.newEngine(context) }
  }

  async close(): Promise<void> {
    const { opened } = this
    if (opened === null) return
    this.opened = null
    await opened.engine.close()
    await opened.workspace.close()
    await opened.remote.close()
    opened.database.close()
  }

  /** As after the end of the process; the database, in memory or not, is what is left. */
  async restart(): Promise<void> {
    if (!this.inMemory) {
      await this.close()
      await this.open()
      return
    }
    const opened = this.parts()
    await opened.engine.close()
    opened.engine = this.newEngine(opened.context)
  }

  /** The state folder is gone, and what was in it: a new instance on the same folder. */
  async loseState(): Promise<void> {
    await this.close()
    fs.rmSync(path.join(this.root, '.davit'), { recursive: true })
    this.id = v7()
    await this.open()
  }

  /** The database as it is now, to be given back to `restoreDatabase`. Not for replicas in memory. */
  copyDatabase(): Uint8Array {
    this.database.makeDurable()
    return fs.readFileSync(path.join(this.root, '.davit/metadata.db'))
  }

  async restoreDatabase(copy: Uint8Array): Promise<void> {
    await this.close()
    const file = path.join(this.root, '.davit/metadata.db')
    for (const suffix of ['', '-wal', '-shm']) fs.rmSync(file + suffix, { force: true })
    fs.writeFileSync(file, copy)
    await this.open()
  }

  private newEngine(context: SyncContext): Engine {
    const { mayCreate: create } = this
    return new Engine(context, { mode: 'manual', pollMs: 10_000, fullScanMs: 0, watch: false, create })
  }

  private connect(): Transport {
    const wire = this.dav.connect()
    return {
      ...wire,
      request: async (request) => {
        const whole = request.body === undefined ? request : { ...request, body: await bodyOf(request) }
        const bytes = whole.body === undefined ? 0 : (whole.body as Uint8Array).length
        const { method, name } = request
        const sent: SentRequest = { method, name, bytes, status: null }
        this.sent.push(sent)
        const response = await this.network(whole, (passed) => wire.request(passed))
        sent.status = response.status
        return response
      },
    }
  }

  private parts() {
    if (this.opened === null) throw new Error(`replica ${this.name} is closed`)
    return this.opened
  }

  get database(): Database {
    return this.parts().database
  }

  get context(): SyncContext {
    return this.parts().context
  }

  get engine(): Engine {
    return this.parts().engine
  }

  // -- the engine --------------------------------------------------------------------------------------------------

  sync(options: Partial<RunRequest> = {}): Promise<RunSummary> {
    return this.engine.request({ trigger: 'command', ...options }).finished
  }

  /** An engine that starts runs by itself, in place of the present one, until so many requests were sent. */
  async runByItself(requests: number): Promise<void> {
    await this.engine.close()
    const options = { mode: 'auto', pollMs: 10_000, fullScanMs: 0, watch: false, create: false } as const
    const engine = new Engine(this.context, options)
    const before = this.sent.length
    await engine.start()
    while (this.sent.length < before + requests) await new Promise((resolve) => setImmediate(resolve))
    await engine.close()
    this.parts().engine = this.newEngine(this.context)
  }

  /** As the instance does it: nothing else is under way meanwhile. */
  async recover(choice: 'republish' | 'adopt'): Promise<RunSummary> {
    await this.engine.exclusively(async () => {
      if (choice === 'adopt') await this.context.workspace.renewMarker(random.hex(16))
      await recover(this.context, choice)
    })
    this.engine.liftHalt()
    return this.sync({ full: true })
  }

  /** Resolves, and lets the own workspace follow. */
  async resolve(
    id: string,
    strategy: ResolutionStrategy,
    more: Omit<Resolution, 'id' | 'strategy'> = {},
  ): Promise<RunSummary> {
    await this.engine.exclusively(() => resolveConflict(this.context, { id, strategy, ...more }))
    return this.sync({ trigger: 'resolution' })
  }

  conflicts(): Conflict[] {
    return this.database.conflicts.page({ limit: 1_000 })
  }

  /** The only open conflict. */
  conflict(): Conflict {
    const [conflict, ...others] = this.conflicts()
    if (conflict === undefined || others.length > 0)
      throw new Error(`${this.name} has ${this.conflicts().length} conflicts`)
    return conflict
  }

  revision(): string {
    return conflictRevision(this.context, this.conflict())
  }

  version(): number {
    return this.database.chain.point()?.version ?? 0
  }

  told(type: EventType): JsonObject[] {
    return this.events.filter((event) => event.type === type).map(({ data }) => data)
  }

  /** What was sent while `work` went on. */
  async sentDuring(work: () => Promise<unknown>): Promise<SentRequest[]> {
    const before = this.sent.length
    await work()
    return this.sent.slice(before)
  }

  // -- the index ---------------------------------------------------------------------------------------------------

  triple(target: FilePath): FileTriple {
    return this.database.trees.triple(this.idOf(target))
  }

  idOf(target: FilePath): FileId {
    const id = this.database.trees.localAt(target)?.id ?? this.database.trees.remoteAt(target)?.id
    if (id === undefined) throw new Error(`${this.name} knows no ${target}`)
    return id
  }

  /** Sets the metadata of a file that was indexed, as the API does it. */
  setMetadata(target: FilePath, metadata: Metadata): void {
    const row = this.triple(target).local
    if (row === null) throw new Error(`${this.name} has no ${target}`)
    this.database.transaction(() =>
      this.database.trees.putLocal({ ...row, state: { ...row.state, metadata } }),
    )
  }

  metadata(target: FilePath): Metadata | undefined {
    return this.triple(target).local?.state.metadata
  }

  // -- the folder --------------------------------------------------------------------------------------------------

  at(target: FilePath): string {
    return path.join(this.root, target)
  }

  write(target: FilePath, content: string | Uint8Array): void {
    fs.mkdirSync(path.dirname(this.at(target)), { recursive: true })
    fs.writeFileSync(this.at(target), content)
  }

  /** Writes each path of a tree, as `tree` gives it. */
  writeAll(tree: Readonly<Record<FilePath, string>>): void {
    for (const [target, content] of Object.entries(tree)) {
      if (target.endsWith('/')) this.makeFolder(target)
      else this.write(target, content)
    }
  }

  read(target: FilePath): string | null {
    return fs.existsSync(this.at(target)) ? fs.readFileSync(this.at(target), 'utf8') : null
  }

  remove(target: FilePath): void {
    fs.rmSync(this.at(target), { recursive: true })
  }

  move(from: FilePath, to: FilePath): void {
    fs.mkdirSync(path.dirname(this.at(to)), { recursive: true })
    fs.renameSync(this.at(from), this.at(to))
  }

  makeFolder(target: FilePath): void {
    fs.mkdirSync(this.at(target), { recursive: true })
  }

  /** Path → content of every file, and `path/` → '' of every empty folder; sorted. */
  tree(): Record<FilePath, string> {
    const found: Record<FilePath, string> = {}
    const walk = (folder: FilePath): void => {
      const entries = fs.readdirSync(this.at(folder), { withFileTypes: true })
      const visible = entries.filter(({ name }) => folder !== '' || name !== '.davit')
      if (visible.length === 0 && folder !== '') found[`${folder}/`] = ''
      for (const entry of visible) {
        const target = folder === '' ? entry.name : `${folder}/${entry.name}`
        if (entry.isDirectory()) walk(target)
        else found[target] = fs.readFileSync(this.at(target), 'utf8')
      }
    }
    walk('')
    return Object.fromEntries(Object.entries(found).sort(([left], [right]) => (left < right ? -1 : 1)))
  }

  /** Contents in the trash. */
  trash(): string[] {
    const folder = this.at('.davit/trash')
    if (!fs.existsSync(folder)) return []
    return fs
      .readdirSync(folder, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .map((entry) => fs.readFileSync(path.join(entry.parentPath, entry.name), 'utf8'))
  }
}

export interface ReplicaSet {
  readonly dav: MemoryDav
  readonly clock: TestClock
  /** In the order of the names. */
  readonly replicas: readonly Replica[]
  /** One more, with an empty folder. */
  add(name: string, options?: ReplicaOptions): Promise<Replica>
  /** Before the end of the test, where one makes many sets. Repeating it does nothing. */
  dispose(): Promise<void>
}

export interface ReplicaOptions {
  /** Keeps the index in a file, so that it can be copied and survives a real restart. */
  readonly onDisk?: boolean
}

/** Made anew for a test, and removed after it. */
export async function openReplicas(
  names: readonly string[],
  options: ReplicaOptions = {},
): Promise<ReplicaSet> {
  const base = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'davit-replicas-')))
  const dav = createMemoryDav()
  const clock = createTestClock()
  const replicas: Replica[] = []
  const dispose = async () => {
    for (const replica of replicas) await replica.close()
    fs.rmSync(base, { recursive: true, force: true })
  }
  onTestFinished(dispose)
  const add = async (name: string, own: ReplicaOptions = options) => {
    const root = path.join(base, name)
    fs.mkdirSync(root)
    const replica = new Replica({ name, root, clock, dav, inMemory: own.onDisk !== true })
    replicas.push(replica)
    await replica.open()
    return replica
  }
  for (const name of names) await add(name)
  return { dav, clock, replicas, add, dispose }
}

/** Two replicas, of which the first has committed the tree and the second has taken it. */
export async function openPair(
  tree: Readonly<Record<FilePath, string>> = {},
  options: ReplicaOptions = {},
): Promise<ReplicaSet & { readonly ann: Replica; readonly bob: Replica }> {
  const set = await openReplicas(['ann', 'bob'], options)
  const [ann, bob] = set.replicas as [Replica, Replica]
  ann.writeAll(tree)
  await syncInTurn(ann, bob)
  return { ...set, ann, bob }
}

export async function openThree(
  tree: Readonly<Record<FilePath, string>> = {},
  options: ReplicaOptions = {},
): Promise<ReplicaSet & { readonly ann: Replica; readonly bob: Replica; readonly cyd: Replica }> {
  const set = await openReplicas(['ann', 'bob', 'cyd'], options)
  const [ann, bob, cyd] = set.replicas as [Replica, Replica, Replica]
  ann.writeAll(tree)
  await syncInTurn(ann, bob, cyd)
  return { ...set, ann, bob, cyd }
}

/** Each once; every run has to end well. */
export async function syncInTurn(...replicas: readonly Replica[]): Promise<void> {
  for (const replica of replicas) expectWell(await replica.sync())
}

export function expectWell(summary: RunSummary): void {
  expect(summary, JSON.stringify(summary.error)).toMatchObject({
    outcome: expect.stringMatching(/^(in-sync|conflicts)$/),
  })
}

const roundsMax = 12

/** Syncs all until nobody has anything to do, and expects that they agree then. */
export async function converge(...replicas: readonly Replica[]): Promise<void> {
  for (let round = 0; ; round++) {
    if (round === roundsMax) throw new Error(`no agreement after ${roundsMax} rounds`)
    const before = replicas.map((replica) => replica.version())
    await syncInTurn(...replicas)
    const isQuiet = replicas.every(
      (replica, index) => replica.version() === before[index] && replica.version() === replicas[0]?.version(),
    )
    if (isQuiet) break
  }
  expectAgreement(replicas)
}

/**
 * The same chain, the same conflicts, nothing left to do, an index in order, and the same files, but for the contents
 * of those in conflict.
 */
export function expectAgreement(replicas: readonly Replica[]): void {
  const [first, ...others] = replicas
  if (first === undefined) return
  for (const replica of replicas) {
    expect(replica.database.verify(), replica.name).toEqual([])
    expect(replica.database.trees.counts().pending, `${replica.name}: pending`).toBe(0)
  }
  for (const replica of others) {
    const who = `${first.name} and ${replica.name}`
    expect(replica.database.chain.point(), who).toEqual(first.database.chain.point())
    expect(sidesOf(replica), who).toEqual(sidesOf(first))
    expect(settledTree(replica), who).toEqual(settledTree(first))
  }
}

function sidesOf(replica: Replica): unknown {
  return replica.conflicts().map(({ id, fileId, aspect, candidates }) => ({
    id,
    fileId,
    aspect,
    sides: candidates.map(({ instance, hash }) => `${instance} ${hash}`).sort(),
  }))
}

function settledTree(replica: Replica): Record<FilePath, string> {
  const tree = replica.tree()
  for (const { fileId, aspect } of replica.conflicts()) {
    const live = replica.database.trees.triple(fileId).remote
    if (aspect === 'content' && live !== null) tree[live.state.path] = '(in conflict)'
  }
  return tree
}

/** Nothing happens any more: after the look that follows an own commit, a run is one HEAD. */
export async function expectQuiet(...replicas: readonly Replica[]): Promise<void> {
  for (const replica of replicas) {
    await replica.sync()
    const version = replica.version()
    const sent = await replica.sentDuring(() => replica.sync())
    expect(
      sent.map(({ method }) => method),
      replica.name,
    ).toEqual(['HEAD'])
    expect(replica.version(), replica.name).toBe(version)
  }
}

/** How often each method was sent. */
export function byMethod(sent: readonly SentRequest[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { method } of sent) counts[method] = (counts[method] ?? 0) + 1
  return counts
}

/** The uploads of contents among what was sent, without those that found no folder yet. */
export function contentsSent(sent: readonly SentRequest[]): SentRequest[] {
  return sent.filter(
    ({ method, name, status }) => method === 'PUT' && status !== 409 && /^[0-9a-f]{2}\//.test(name),
  )
}

/** What a client sees of a connection that broke. */
export function cut(): DavitError {
  return new DavitError('remote-unreachable', 'the connection was cut', { action: 'retry' })
}
