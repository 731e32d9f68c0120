/** The workspace as a folder of this machine: joins the steps, the scan, the hashing and the watching. */
import path from 'node:path'
import type { Clock, Random } from '../model/clock.ts'
import { DavitError } from '../model/errors.ts'
import type { FileKind, FilePath } from '../model/file-state.ts'
import { stateFolderName } from '../model/path.ts'
import { setAttributes } from './attributes.ts'
import { cleanUp } from './clean-up.ts'
import { createDirectHashing } from './direct-hashing.ts'
import { createDirectScanner } from './direct-scanner.ts'
import { type FileCalls, systemFileCalls } from './file-calls.ts'
import { fileSource } from './file-source.ts'
import { openHashPool } from './hash-pool.ts'
import { createIgnoreRules, type IgnoreRules, readIgnoreSource } from './ignore-rules.ts'
import { listParked, move, park, unpark } from './move.ts'
import { place } from './place.ts'
import { foldsNames, makeFolder, removeEmptyParents, removeFile, removeFolder } from './remove.ts'
import { type RememberedRoot, type RootMemory, renewMarker, rootState } from './root-identity.ts'
import { assertSafePath } from './safe-path.ts'
import { lookAt } from './scan.ts'
import { openScanner } from './scanner.ts'
import { createStager, type StagedFile } from './stage.ts'
import { lstatOrNull, makeOwnFolder, type StepContext, syncUpTo } from './steps.ts'
import { toDavitError } from './system-error.ts'
import { createUnsettled } from './unsettled.ts'
import { watchFolder } from './watch-folder.ts'
import type { ScanEntry, StagedContent, Workspace, WorkspaceWatch } from './workspace.ts'

export type { RememberedRoot, RootMemory }

export interface FolderWorkspaceOptions {
  /** The folder to replicate. A symbolic link here is followed, once, now. */
  readonly root: string
  /** Absolute. Best on the file system of the root (`<root>/.davit`): staged contents are then moved, not copied. */
  readonly stateFolder: string
  readonly identity: RootMemory
  /** Patterns in gitignore syntax, besides those of `.davitignore`. */
  readonly ignore: readonly string[]
  readonly watch: {
    readonly mode: 'native' | 'polling' | 'off'
    /** Quiet time before changes are reported; under constant change they are reported after five times as much. */
    readonly debounceMs: number
    /** Time between two walks in mode `polling`, or where native watching is impossible. Default 10,000. */
    readonly pollMs?: number
  }
  readonly clock: Clock
  readonly random: Random
  /** Bytes of disk space that a download leaves free. Default 64 MiB. */
  readonly trashReserveBytes?: number
  /**
   * The file system calls of everything but watching. When given, scanning and hashing make them as well, in this
   * thread: a scan then yields once per batch, a file is hashed in one go. Default: the system's, with scanning and
   * hashing in threads of their own.
   */
  readonly fileCalls?: FileCalls
}

const reserveBytesDefault = 64 * 1024 * 1024
const pollMsDefault = 10_000

/** Rejects with `workspace-missing` when the root is no folder, `file-unreadable` when the state folder cannot be made. */
export async function openFolderWorkspace(options: FolderWorkspaceOptions): Promise<Workspace> {
  const calls = options.fileCalls ?? systemFileCalls
  const root = realRoot(calls, options.root)
  const context = await createContext(calls, root, options)
  const ownPatterns = { root, stateFolder: context.stateFolder, patterns: options.ignore, calls }
  let rules: IgnoreRules = createIgnoreRules(readIgnoreSource(ownPatterns))
  const hasThreads = options.fileCalls === undefined
  const scanner = hasThreads ? openScanner() : createDirectScanner(calls)
  const pool = hasThreads
    ? openHashPool({ root, clock: options.clock })
    : createDirectHashing({ calls, root, clock: options.clock })
  const stager = createStager(context)
  const stagedFiles = new WeakMap<StagedContent, StagedFile>()
  const watches = new Set<WorkspaceWatch>()

  /** Reads `.davitignore` anew. Answers whether the rules are others than before. */
  function reloadRules(): boolean {
    const source = readIgnoreSource(ownPatterns)
    if (JSON.stringify(source) === JSON.stringify(rules.source)) return false
    rules = createIgnoreRules(source)
    return true
  }
  function stagedOf(content: StagedContent): StagedFile {
    const staged = stagedFiles.get(content)
    if (staged !== undefined) return staged
    throw new DavitError('internal', 'This content was not staged by this workspace.', { action: 'give-up' })
  }

  return {
    root,
    rootState: async () => rootState(calls, root, options.identity),
    renewMarker: async (token, { onlyRemembered = false } = {}) => {
      await renewMarker(calls, root, options.identity, { token, onlyRemembered })
      // In a folder that was made anew, what is held in between has no place yet.
      makeHoldingFolders(calls, context.holdingFolder)
    },

    scan: ({ under, signal }) => {
      if (under !== '') assertSafePath(under)
      return (async function* () {
        reloadRules()
        yield* scanner.scan({ root, under, ignore: rules.source, signal })
      })()
    },
    isIgnored: (target: FilePath, kind: FileKind = 'file') => rules.ignores(target, kind),
    look: async (target): Promise<ScanEntry | null> => {
      assertSafePath(target)
      return lookAt({ root, path: target, rules, calls })
    },

    hash: (target, signal) => pool.hash(target, signal),
    source: (target, stamp) => fileSource(calls, root, target, stamp),

    stage: async (size) => {
      const staged = await stager.stage(size)
      stagedFiles.set(staged, staged)
      return staged
    },
    place: (content, target, how) => place(context, stagedOf(content), target, how),
    move: (from, to, expected, how) => move(context, from, to, expected, how),
    park: (id, from, expected) => park(context, id, from, expected),
    unpark: (id, to) => unpark(context, id, to),
    parked: () => told(context.stateFolder, listParked(context)),
    remove: (target, how) => removeFile(context, target, how),
    makeFolder: (target) => makeFolder(context, target),
    removeFolder: async (target) => {
      await removeFolder(context, target)
    },
    removeEmptyParents: (target, keep) => removeEmptyParents(context, target, keep),
    setAttributes: (target, expected, attributes) => setAttributes(context, target, expected, attributes),
    makeDurable: async () => {
      try {
        await context.unsettled.settle()
      } catch (error) {
        throw toDavitError(error, root)
      }
    },

    watch: async (listener) => {
      reloadRules()
      const watch = await watchFolder({
        root,
        mode: options.watch.mode,
        debounceMs: options.watch.debounceMs,
        pollMs: options.watch.pollMs ?? pollMsDefault,
        clock: options.clock,
        scanner,
        rules: () => rules,
        reloadRules,
        listener,
      })
      watches.add(watch)
      return watch
    },
    cleanUp: (how) => told(context.stateFolder, cleanUp(context, how)),
    async close() {
      await Promise.all([...watches].map((watch) => watch.close()))
      await Promise.all([scanner.close(), pool.close()])
    },
  }
}

/** The system's errors as ours. */
function told<T>(subject: string, work: Promise<T>): Promise<T> {
  return work.catch((error: unknown) => {
    throw toDavitError(error, subject)
  })
}

function realRoot(calls: FileCalls, given: string): string {
  try {
    const root = calls.realpathSync(path.resolve(given))
    if (calls.lstatSync(root).isDirectory()) return root
  } catch (cause) {
    throw missing(given, cause)
  }
  throw missing(given, null)
}

function missing(root: string, cause: unknown): DavitError {
  return new DavitError('workspace-missing', `The workspace '${root}' is no folder that can be opened.`, {
    action: 'ask',
    hint: 'Create it, mount its disk, or correct the path.',
    ...(cause === null ? {} : { cause }),
  })
}

/** The folder or the first one above it that is there. */
function nearestFolder(calls: FileCalls, folder: string): string {
  let here = folder
  while (here !== path.dirname(here) && lstatOrNull(calls, here) === null) here = path.dirname(here)
  return here
}

async function createContext(
  calls: FileCalls,
  root: string,
  options: FolderWorkspaceOptions,
): Promise<StepContext> {
  try {
    const above = nearestFolder(calls, options.stateFolder)
    makeOwnFolder(calls, options.stateFolder)
    const stateFolder = calls.realpathSync(options.stateFolder)
    // Contents are put in place by link and rename, which stay on one file system.
    const isNear = calls.lstatSync(stateFolder).dev === calls.lstatSync(root).dev
    const holdingFolder = isNear ? stateFolder : path.join(root, stateFolderName)
    makeHoldingFolders(calls, holdingFolder)
    // What is brought to the disk in a folder is lost with the folder.
    await syncUpTo(calls, options.stateFolder, above)
    await syncUpTo(calls, holdingFolder, isNear ? holdingFolder : root)
    const context = {
      root,
      stateFolder,
      holdingFolder,
      calls,
      clock: options.clock,
      random: options.random,
      session: options.random.hex(6),
      unsettled: createUnsettled(calls, root),
      reserveBytes: options.trashReserveBytes ?? reserveBytesDefault,
    }
    return { ...context, foldsNames: foldsNames(context, path.join(holdingFolder, 'tmp')) }
  } catch (error) {
    throw toDavitError(error, options.stateFolder)
  }
}

function makeHoldingFolders(calls: FileCalls, holdingFolder: string): void {
  try {
    for (const folder of ['tmp', 'parked']) makeOwnFolder(calls, path.join(holdingFolder, folder))
  } catch (error) {
    throw toDavitError(error, holdingFolder)
  }
}
