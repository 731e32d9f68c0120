/** Whole instances without a command around them: real folders and databases, one store in memory. */
import fs from 'node:fs'
import path from 'node:path'
import type { Database } from '../../src/database/database.ts'
import { openDatabase } from '../../src/database/open-database.ts'
import type { Clock } from '../../src/model/clock.ts'
import type { EventDraft } from '../../src/model/event.ts'
import type { JsonObject } from '../../src/model/json.ts'
import { textMerger } from '../../src/reconcile/merge-text.ts'
import type { Transport, TransportRequest } from '../../src/remote/transport.ts'
import { openWebdavRemote } from '../../src/remote/webdav-remote.ts'
import { durableFilesMax } from '../../src/sync/apply-local.ts'
import type { SyncContext, SyncSettings } from '../../src/sync/context.ts'
import { executeRun, type RunSteps } from '../../src/sync/execute-run.ts'
import { checkpointBytesMin } from '../../src/sync/maintenance.ts'
import { type RunOptions, RunState } from '../../src/sync/run-state.ts'
import type { RememberedRoot } from '../../src/workspace/folder-workspace.ts'
import { createMemoryDav, type MemoryDav } from './memory-dav.ts'
import {
  openTemporaryWorkspace,
  realClock,
  realRandom,
  type TemporaryWorkspace,
} from './temporary-workspace.ts'

export interface Replica {
  readonly name: string
  readonly context: SyncContext
  readonly database: Database
  readonly files: TemporaryWorkspace
  readonly events: EventDraft[]
  /** Called before each request; what it throws is the request's failure. */
  onRequest: (request: TransportRequest) => void | Promise<void>
  /** One run over everything, as the engine makes it. */
  sync(options?: Partial<RunOptions>, steps?: Partial<RunSteps>): Promise<RunState>
  /** All replicated files with their contents. */
  tree(): Record<string, string>
  close(): Promise<void>
}

export interface Replicas {
  readonly dav: MemoryDav
  open(
    name: string,
    options?: { readonly settings?: Partial<SyncSettings>; readonly clock?: Clock },
  ): Promise<Replica>
  close(): Promise<void>
}

export function createReplicas(): Replicas {
  const dav = createMemoryDav()
  const opened: Replica[] = []
  return {
    dav,
    async open(name, options = {}) {
      const replica = await openReplica(name, dav, options)
      opened.push(replica)
      return replica
    },
    async close() {
      for (const replica of opened.splice(0)) await replica.close()
    },
  }
}

async function openReplica(
  name: string,
  dav: MemoryDav,
  options: { readonly settings?: Partial<SyncSettings>; readonly clock?: Clock },
): Promise<Replica> {
  const clock = options.clock ?? realClock
  const random = realRandom
  const speaker = { id: random.uuid(), name, incarnation: random.hex(8) }
  let database: Database | null = null
  const remembered: { value: RememberedRoot | null } = { value: null }
  const files = await openTemporaryWorkspace({
    watch: { mode: 'off', debounceMs: 20 },
    identity: {
      read: () =>
        database === null ? remembered.value : (database.settings.get('root') as RememberedRoot | null),
      write: (value) => {
        remembered.value = value
        database?.settings.set('root', value as unknown as JsonObject)
      },
    },
  })
  database = openDatabase({ file: path.join(files.state, 'metadata.db'), instance: () => speaker.id })
  await files.workspace.renewMarker(random.hex(16))
  const events: EventDraft[] = []
  const hooks = { onRequest: (_: TransportRequest): void | Promise<void> => undefined }
  const inner = dav.connect()
  const transport: Transport = {
    ...inner,
    url: inner.url,
    request: async (request) => {
      await hooks.onRequest(request)
      return inner.request(request)
    },
  }
  const context: SyncContext = {
    workspace: files.workspace,
    remote: openWebdavRemote({ transport, instance: () => speaker, clock, random }),
    database,
    clock,
    random,
    merger: textMerger,
    instance: () => speaker,
    settings: {
      batch: 1_000,
      concurrency: 4,
      maxDelete: { fraction: 0.5, atLeast: 10 },
      policyFor: () => 'manual',
      checkpointBytesMin,
      durableFilesMax,
      retry: { attempts: 2, baseMs: 1, maxMs: 5 },
      ...options.settings,
    },
    emit: (event) => events.push(event),
    emitAll: (drafts) => events.push(...drafts),
  }
  return {
    name,
    context,
    database,
    files,
    events,
    get onRequest() {
      return hooks.onRequest
    },
    set onRequest(hook) {
      hooks.onRequest = hook
    },
    async sync(runOptions = {}, steps = {}) {
      const run = new RunState(context, {
        runId: random.uuid(),
        kind: 'incremental',
        trigger: 'request',
        force: false,
        paths: null,
        signal: new AbortController().signal,
        ...runOptions,
      })
      await executeRun(context, run, {
        scan: { kind: 'everything' },
        list: true,
        create: true,
        dryRun: false,
        pause: async () => undefined,
        isBusy: false,
        onOthers: () => undefined,
        onGaveWay: () => undefined,
        onScanned: () => undefined,
        onListed: () => undefined,
        onCommitted: () => undefined,
        ...steps,
      })
      return run
    },
    tree() {
      const found: Record<string, string> = {}
      for (const entry of fs.readdirSync(files.root, { recursive: true, withFileTypes: true })) {
        const file = path.relative(files.root, path.join(entry.parentPath, entry.name))
        if (!entry.isFile() || file.startsWith('.davit')) continue
        found[file] = fs.readFileSync(files.at(file), 'utf8')
      }
      return found
    },
    async close() {
      await context.remote.close()
      database?.close()
      await files.dispose()
    },
  }
}
