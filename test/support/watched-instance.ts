/**
 * An engine that follows a real folder by watching alone: full scans by time are switched off, no person asks for a
 * run, and each change that the watcher hands over is counted. The store is in memory.
 */
import type { Database } from '../../src/database/database.ts'
import { openDatabase } from '../../src/database/open-database.ts'
import type { Clock } from '../../src/model/clock.ts'
import type { EventDraft } from '../../src/model/event.ts'
import type { FilePath } from '../../src/model/file-state.ts'
import type { RunSummary } from '../../src/model/run.ts'
import { textMerger } from '../../src/reconcile/merge-text.ts'
import { openWebdavRemote } from '../../src/remote/webdav-remote.ts'
import type { SyncContext } from '../../src/sync/context.ts'
import { Engine } from '../../src/sync/engine.ts'
import { recover } from '../../src/sync/recover.ts'
import type { RememberedRoot } from '../../src/workspace/folder-workspace.ts'
import type { Workspace, WorkspaceChange, WorkspaceWatch } from '../../src/workspace/workspace.ts'
import { indexDifferences, readDisk } from './disk-tree.ts'
import { createMemoryDav, type MemoryDav } from './memory-dav.ts'
import {
  openTemporaryWorkspace,
  realClock,
  realRandom,
  type TemporaryWorkspace,
} from './temporary-workspace.ts'

export type WatchedMode = 'native' | 'polling'

/** How long an index may need to follow, on a machine that is busy with other things. */
const patienceMs = process.env['DAVIT_GESTURES'] === 'long' ? 600_000 : 20_000
const lookMs = 10

export interface WatchedInstance {
  readonly files: TemporaryWorkspace
  readonly database: Database
  readonly engine: Engine
  readonly events: readonly EventDraft[]
  /** Everything that the watcher told, in order. */
  readonly told: readonly WorkspaceChange[]
  /** What watches at present. */
  watching(): WorkspaceWatch
  /** What the index says otherwise than the disk, at and below a path. */
  differences(under?: FilePath): string[]
  /** Waits until the index equals the disk and stays so when all that was noted has been looked at. */
  follows(under?: FilePath): Promise<void>
  /** Waits until the condition holds; `what` says in the failure what was waited for. */
  until(what: string, condition: () => boolean | Promise<boolean>): Promise<void>
  sync(): Promise<RunSummary>
  adopt(): Promise<RunSummary>
  close(): Promise<void>
}

export interface WatchedOptions {
  readonly name?: string
  readonly mode: WatchedMode
  /** `auto`: exchanges with the store by itself. Default: it only looks at its folder. */
  readonly runs?: 'auto' | 'manual'
  readonly dav?: MemoryDav
  readonly clock?: Clock
  readonly debounceMs?: number
  readonly pollMs?: number
  /** Before the watching begins. */
  readonly prepare?: (files: TemporaryWorkspace) => void
}

/** Resolves when it watches and the index has been made. */
export async function openWatchedInstance(options: WatchedOptions): Promise<WatchedInstance> {
  const clock = options.clock ?? realClock
  const random = realRandom
  const speaker = { id: random.uuid(), name: options.name ?? 'ann', incarnation: 'test' }
  const memory: { value: RememberedRoot | null } = { value: null }
  const files = await openTemporaryWorkspace({
    watch: { mode: options.mode, debounceMs: options.debounceMs ?? 20, pollMs: options.pollMs ?? 40 },
    identity: {
      read: () => memory.value,
      write: (value) => {
        memory.value = value
      },
    },
    clock,
  })
  options.prepare?.(files)
  const database = openDatabase({ file: ':memory:', instance: () => speaker.id })
  await files.workspace.renewMarker(random.hex(16))
  const events: EventDraft[] = []
  const told: WorkspaceChange[] = []
  let watch: WorkspaceWatch | null = null
  const workspace: Workspace = new Proxy(files.workspace, {
    get: (target, key) => (key === 'watch' ? watchAndTell : Reflect.get(target, key)),
  })
  async function watchAndTell(listener: (change: WorkspaceChange) => void): Promise<WorkspaceWatch> {
    watch = await files.workspace.watch((change) => {
      told.push(change)
      listener(change)
    })
    return watch
  }
  const remote = openWebdavRemote({
    transport: (options.dav ?? createMemoryDav()).connect(),
    instance: () => speaker,
    clock,
    random,
  })
  const context: SyncContext = {
    workspace,
    remote,
    database,
    clock,
    random,
    merger: textMerger,
    instance: () => speaker,
    settings: {
      batch: 1_000,
      concurrency: 4,
      checkpointBytesMin: 1024 * 1024,
      durableFilesMax: 64,
      maxDelete: { fraction: 1, atLeast: 1_000_000 },
      policyFor: () => 'manual',
      retry: { attempts: 2, baseMs: 5, maxMs: 50 },
    },
    emit: (event) => void events.push(event),
    emitAll: (drafts) => void events.push(...drafts),
  }
  const engine = new Engine(context, {
    mode: options.runs ?? 'manual',
    pollMs: 100,
    fullScanMs: 0,
    watch: true,
    create: true,
  })
  const differences = (under: FilePath = '') => {
    const ignores = (target: FilePath, isFolder: boolean) =>
      files.workspace.isIgnored(target, isFolder ? 'folder' : 'file')
    return indexDifferences(database, readDisk(files.root, { under, ignores }), under)
  }
  const waitUntil = async (what: () => string, condition: () => boolean | Promise<boolean>) => {
    const limit = AbortSignal.timeout(patienceMs)
    let lookedAt = performance.now()
    while (!(await condition())) {
      if (limit.aborted)
        throw new Error(
          `${speaker.name} (${options.mode}) waited in vain: ${what()}; ${engine.state} ${JSON.stringify(engine.lastError())}`,
        )
      // A look at thousands of files takes time from those who are waited for.
      await realClock.sleep(Math.max(lookMs, 4 * (performance.now() - lookedAt)))
      lookedAt = performance.now()
    }
  }
  const instance: WatchedInstance = {
    files,
    database,
    engine,
    events,
    told,
    watching: () => {
      if (watch === null) throw new Error('nothing is watched')
      return watch
    },
    differences,
    async follows(under = '') {
      let found: string[] = []
      const describe = () =>
        `the index does not follow the disk.\n${found.slice(0, 20).join('\n')}\ntold last: ${JSON.stringify(told.slice(-3)).slice(0, 600)}\nlast error: ${JSON.stringify(engine.lastError())}`
      const isEqual = () => {
        found = differences(under)
        return found.length === 0
      }
      await waitUntil(describe, isEqual)
      // What was told of meanwhile may still make it another one.
      if (watch?.mode === 'native')
        await waitUntil(
          () => 'no flush succeeds',
          () => instance.watching().flush(),
        )
      await waitUntil(
        () => `it does not come to rest\n${JSON.stringify(engine.lastError())}`,
        () => !engine.hasUnseenChanges() && engine.running() === null,
      )
      await engine.exclusively(async () => undefined)
      await waitUntil(describe, isEqual)
    },
    until: (what, condition) => waitUntil(() => what, condition),
    sync: () => engine.request({ trigger: 'request' }).finished,
    async adopt() {
      await engine.exclusively(async () => {
        await workspace.renewMarker(random.hex(16))
        await engine.indexEverything()
        await recover(context, 'adopt')
      })
      engine.liftHalt()
      return engine.request({ trigger: 'command', full: true }).finished
    },
    async close() {
      await engine.close()
      await remote.close()
      database.close()
      await files.dispose()
    },
  }
  await engine.start()
  await engine.scannedOnce()
  await instance.follows()
  return instance
}
