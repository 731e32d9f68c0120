/** The composition root: everything that an instance is made of is put together here, and nowhere else. */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Hono } from 'hono'
import { openDatabase } from '../database/open-database.ts'
import { DavitError } from '../model/errors.ts'
import type { InstanceId } from '../model/file-state.ts'
import type { JsonObject } from '../model/json.ts'
import { textMerger } from '../reconcile/merge-text.ts'
import { openWebdavRemote } from '../remote/webdav-remote.ts'
import { withRetry } from '../remote/with-retry.ts'
import { durableFilesMax } from '../sync/apply-local.ts'
import type { SyncContext } from '../sync/context.ts'
import { Engine } from '../sync/engine.ts'
import { checkpointBytesMin, trashAgeMs } from '../sync/maintenance.ts'
import { verifyPulled } from '../sync/verify-pulled.ts'
import { withLockNotes } from '../sync/with-lock-notes.ts'
import { openFolderWorkspace, type RememberedRoot } from '../workspace/folder-workspace.ts'
import type { Configuration } from './configuration.ts'
import { DavitInstance } from './davit-instance.ts'
import { EventLog } from './event-log.ts'
import { disownCandidates, identify } from './identity.ts'
import type { Instance } from './instance.ts'
import { logLine } from './log-events.ts'
import { openTransport } from './open-transport.ts'
import { lockState } from './state-lock.ts'
import { bootId, machineId, systemClock, systemRandom } from './system.ts'

export interface OpenOptions {
  /** Sets up what is missing: the state of a workspace that has none, and the store. */
  readonly create?: boolean
  /** One-shot use: nothing is watched and nothing runs by itself. */
  readonly passive?: boolean
  /** Told what happened, in sentences, besides the events. */
  readonly log?: (level: 'error' | 'info' | 'debug', message: string) => void
}

export interface ComposeOptions extends OpenOptions {
  /** Makes the HTTP API over the instance; given from above, since `http/` stands above this folder. */
  readonly routes: (instance: Instance, token: string) => Hono
}

export interface OpenedInstance extends Instance {
  /** The API's bearer token, as kept in the state folder. */
  readonly token: string
  /** Makes the address of the served API known to other processes. */
  announceUrl(url: string | null): void
  /** Resolves when the workspace was scanned once, or that proved impossible. */
  scannedOnce(): Promise<void>
}

const rootKey = 'workspace.root'

/**
 * Opens the instance of a workspace: locks its state folder, opens the index and, unless `passive`, begins to watch
 * and to sync. Rejects with `configuration-invalid`, `workspace-missing`, `state-missing`, `state-locked`,
 * `state-newer`. An unreachable or halted store is no rejection: `status` tells.
 */
export async function composeInstance(
  configuration: Configuration,
  options: ComposeOptions,
): Promise<OpenedInstance> {
  const log = options.log ?? (() => {})
  prepareFolders(configuration, options.create ?? false)
  const closers: (() => Promise<void> | void)[] = []
  let opened: DavitInstance | null = null
  try {
    const lock = await lockState(configuration.state, {
      startedAt: new Date(systemClock.now()).toISOString(),
      onLost: (error) => {
        log('error', `the lock of the state folder was lost, stopping: ${error.message}`)
        void opened?.close()
      },
    })
    closers.push(() => lock.release())
    const instance = await compose(configuration, options, closers, log)
    opened = instance.instance
    return Object.assign(instance.instance, {
      token: instance.token,
      announceUrl: (url: string | null) => lock.setUrl(url),
    })
  } catch (error) {
    for (const close of closers.reverse()) await close()
    throw error
  }
}

async function compose(
  configuration: Configuration,
  options: ComposeOptions,
  closers: (() => Promise<void> | void)[],
  log: NonNullable<OpenOptions['log']>,
): Promise<{ readonly instance: DavitInstance; readonly token: string }> {
  const clock = systemClock
  const random = systemRandom
  let id: InstanceId = ''
  const database = openDatabase({ file: join(configuration.state, 'metadata.db'), instance: () => id })
  closers.push(() => database.close())
  const identity = identify(database, { machine: machineId(), stateFolder: configuration.state }, random)
  id = identity.id
  if (identity.formerId !== null) disownCandidates(database, identity.formerId)
  const speaker = { id: identity.id, name: configuration.instance, incarnation: identity.incarnation }
  const events = new EventLog({ database, clock, name: configuration.instance })

  events.subscribe((event) => {
    const { level, message } = logLine(event)
    log(level, message)
  })

  const { remote: settings } = configuration
  const { remote, lock } = withLockNotes(
    openWebdavRemote({
      transport: withRetry(openTransport(configuration, { clock, random }), {
        ...configuration.sync.retry,
        clock,
        random,
      }),
      instance: () => speaker,
      clock,
      random,
      onNotice: (message) => log('debug', message),
      onFork: (heads) =>
        events.emit({
          type: 'remote.fork',
          data: { heads: heads.map(({ version, hash }) => `${version}-${hash}`) },
        }),
    }),
    () => speaker.id,
  )
  closers.push(() => remote.close())

  const workspace = await openFolderWorkspace({
    root: configuration.workspace,
    stateFolder: configuration.state,
    identity: {
      read: () => database.settings.get(rootKey) as RememberedRoot | null,
      write: (value) => database.settings.set(rootKey, value as unknown as JsonObject),
    },
    ignore: configuration.ignore,
    watch: { ...configuration.watch, mode: options.passive === true ? 'off' : configuration.watch.mode },
    clock,
    random,
  })
  closers.push(() => workspace.close())

  const context: SyncContext = {
    workspace,
    remote,
    database,
    clock,
    random,
    merger: textMerger,
    instance: () => speaker,
    settings: {
      batch: configuration.sync.batch,
      concurrency: settings.concurrency,
      maxDelete: configuration.sync.maxDelete,
      policyFor: () => configuration.sync.conflicts,
      checkpointBytesMin,
      durableFilesMax,
      retry: configuration.sync.retry,
    },
    emit: (event) => events.emit(event),
    emitAll: (drafts) => events.emitAll(drafts),
  }
  if (identity.formerId !== null) {
    const detail = 'The state folder was copied or moved; this instance has a new id.'
    events.emit({ type: 'instance.renamed', data: { formerId: identity.formerId, id: identity.id, detail } })
  }
  const known = database.settings.get(rootKey)
  const root = await workspace.rootState()
  // The marker gets a fresh token at each start. A root that is not the one that was remembered keeps its own, and
  // the first run halts.
  if (known === null || root.kind === 'present')
    await workspace.renewMarker(random.hex(16), { onlyRemembered: known !== null })
  await workspace.cleanUp({ trashAgeMs, nowMs: clock.now() })
  if (root.kind === 'present') await verifyPulled(context, bootId())

  const engine = new Engine(context, {
    mode: configuration.sync.mode,
    pollMs: configuration.sync.pollMs,
    fullScanMs: configuration.sync.fullMs,
    watch: options.passive !== true && configuration.watch.mode !== 'off',
    create: options.create ?? false,
  })
  const token = configuration.http.token ?? tokenOf(configuration.state)
  const instance = new DavitInstance({
    context,
    engine,
    events,
    lock,
    closers: [...closers].reverse(),
    routes: (self) => options.routes(self, token),
  })
  if (options.passive !== true) await engine.start()
  return { instance, token }
}

function prepareFolders(configuration: Configuration, create: boolean): void {
  const { workspace, state } = configuration
  const hasState = existsSync(join(state, 'metadata.db'))
  if (!existsSync(workspace)) {
    if (hasState) {
      throw new DavitError('workspace-vanished', `the workspace ${workspace} is not there`, {
        action: 'ask',
        hint: 'Mount its disk, or put the folder back. Nothing was deleted anywhere.',
      })
    }
    if (!create) {
      throw new DavitError('workspace-missing', `the workspace ${workspace} is not there`, {
        action: 'ask',
        hint: 'Check the path, or mount the disk. `--create` makes a new workspace.',
      })
    }
    mkdirSync(workspace, { recursive: true })
  } else if (!statSync(workspace).isDirectory()) {
    throw new DavitError('workspace-missing', `${workspace} is not a folder`, { action: 'ask' })
  }
  if (!hasState && !create) {
    throw new DavitError('state-missing', `the workspace ${workspace} has no state of Davit (${state})`, {
      action: 'ask',
      hint: 'If the disk is not mounted, mount it. To begin with this folder, use `davit init` or `--create`.',
    })
  }
  mkdirSync(state, { recursive: true, mode: 0o700 })
}

/** The token is made at the first start and readable by its owner alone. */
function tokenOf(state: string): string {
  const file = join(state, 'token')
  if (existsSync(file)) {
    const token = readFileSync(file, 'utf8').trim()
    if (token !== '') return token
  }
  const token = randomBytes(32).toString('base64url')
  // ORDER: whole before it has its name. A part of it would be a token, too, and easier to guess.
  const draft = `${file}.new`
  writeFileSync(draft, `${token}\n`, { mode: 0o600, flush: true })
  renameSync(draft, file)
  return token
}
