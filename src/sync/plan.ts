/** A page of the dirty set, decided: what becomes of each file, with the paths of all of them settled. */
import { createHash } from 'node:crypto'
import { changedAspects } from '../model/compare-states.ts'
import { effectiveLocal, liveState } from '../model/dirtiness.ts'
import { isDavitError } from '../model/errors.ts'
import type {
  ContentHash,
  FileId,
  FilePath,
  FileState,
  FileTriple,
  LocalFile,
  RemoteFile,
} from '../model/file-state.ts'
import { mergeTextBytesMax } from '../model/limits.ts'
import { parentOf } from '../model/path.ts'
import type { Decision } from '../reconcile/decision.ts'
import { foldPath } from '../reconcile/portable-path.ts'
import { type ReconcileInput, reconcile } from '../reconcile/reconcile.ts'
import { type PathWorld, settlePaths } from '../reconcile/settle-paths.ts'
import { breathe, nowIso, type SyncContext } from './context.ts'
import { fetchContent } from './fetch-content.ts'
import { identify } from './identify.ts'
import type { RunState } from './run-state.ts'

export interface PlannedFile {
  readonly decision: Decision
  readonly triple: FileTriple
}

export interface PlanPage {
  readonly files: readonly PlannedFile[]
  /** Contents that came out of merges, by hash: they exist nowhere else yet. */
  readonly merged: ReadonlyMap<ContentHash, Uint8Array>
  /** Continue behind this id. */
  readonly last: FileId
}

/** A page may grow by the files that stand in its way, up to this many times the batch. */
const growthMax = 5
/** Files decided on before others have their turn. */
const filesPerTurn = 100

/** The next page behind `after`; `null` when the dirty set has no more. */
export async function planPage(
  context: SyncContext,
  run: RunState,
  after: FileId | null,
): Promise<PlanPage | null> {
  const { database, settings } = context
  const page = database.trees.dirtyPage({
    limit: settings.batch,
    minor: run.options.kind === 'full',
    ...(after === null ? {} : { after }),
  })
  const last = page.at(-1)?.id
  if (last === undefined) return null
  const merged = new Map<ContentHash, Uint8Array>()
  const chosen = new Map<FileId, PlannedFile>()
  const queue = page.filter((triple) => isInScope(run, triple))
  for (let triple = queue.shift(); triple !== undefined; triple = queue.shift()) {
    const identified = identify(context, triple)
    if (chosen.has(identified.id) || run.skipped.has(identified.id)) continue
    const decision = await decideWithMerge(context, run, identified, merged)
    if (decision === null) continue
    chosen.set(identified.id, { decision, triple: identified })
    if (chosen.size % filesPerTurn === 0) await breathe()
  }
  await breathe()
  return { files: await settleAll(context, run, chosen, merged), merged, last }
}

/** Settles the paths of a batch; files that stand in the way of one are decided with it. */
async function settleAll(
  context: SyncContext,
  run: RunState,
  chosen: Map<FileId, PlannedFile>,
  merged: Map<ContentHash, Uint8Array>,
): Promise<PlannedFile[]> {
  const world = pathWorld(context)
  for (;;) {
    const { decisions, blocked } = settlePaths({
      decisions: [...chosen.values()].map(({ decision }) => decision),
      world,
      instance: context.instance(),
      now: nowIso(context),
    })
    const missing = new Set(blocked.flatMap(({ by }) => by))
    let grown = false
    for (const id of missing) {
      if (chosen.has(id) || run.skipped.has(id) || chosen.size >= context.settings.batch * growthMax) continue
      const triple = identify(context, context.database.trees.triple(id))
      const decision = await decideWithMerge(context, run, triple, merged)
      if (decision === null) continue
      chosen.set(triple.id, { decision, triple })
      grown = true
    }
    if (grown) continue
    const waiting = new Set(blocked.map(({ id }) => id))
    return decisions.flatMap((decision) => {
      const triple = chosen.get(decision.id)?.triple
      return triple === undefined || waiting.has(decision.id) ? [] : [{ decision, triple }]
    })
  }
}

function pathWorld(context: SyncContext): PathWorld {
  const { trees } = context.database
  const entry = (file: LocalFile | RemoteFile | null) =>
    file === null ? null : { id: file.id, kind: file.state.kind }
  return {
    at: (tree, path) => {
      switch (tree) {
        case 'local': {
          const file = trees.localAt(path)
          return file !== null && file.absence !== null ? null : entry(file)
        }
        case 'remote':
          return entry(trees.remoteAt(path))
      }
    },
    below: (tree, folder) => (trees.hasBelow(tree, folder) ? below(context, tree, folder) : []),
    isFoldedTaken: (path) => isFoldedTaken(context, path),
  }
}

/** Entries of a folder that are looked through for a name that differs in case only. */
const siblingsMax = 100_000

/** Asked for the names of files that stand aside, which is rare; it reads the folder that the name is for. */
function isFoldedTaken(context: SyncContext, path: FilePath): boolean {
  const { trees } = context.database
  if (trees.syncedAt(path) !== null || trees.hasBelow('synced', path)) return true
  const folded = foldPath(path)
  for (const tree of ['local', 'remote'] as const) {
    let seen = 0
    for (const entry of below(context, tree, parentOf(path))) {
      const other = foldPath(entry.path)
      if (other === folded || other.startsWith(`${folded}/`)) return true
      seen += 1
      if (seen === siblingsMax) break
    }
  }
  return false
}

function* below(
  context: SyncContext,
  tree: 'local' | 'remote',
  folder: FilePath,
): Generator<{ readonly id: FileId; readonly path: FilePath }> {
  const { trees } = context.database
  for (let after: FilePath | undefined; ; ) {
    const from = { under: folder, limit: 200, ...(after === undefined ? {} : { after }) }
    const page =
      tree === 'local'
        ? trees.localPage(from).map(({ id, state }) => ({ id, path: state.path }))
        : trees.remotePage(from).map(({ id, state }) => ({ id, path: state.path }))
    for (const entry of page) if (entry.path !== folder) yield entry
    const last = page.at(-1)
    if (last === undefined || page.length < 200) return
    after = last.path
  }
}

function isInScope(run: RunState, triple: FileTriple): boolean {
  return run.covers(triple.local?.state.path, triple.synced?.path, triple.remote?.state.path)
}

/** The decision on one file as the trees stand. */
export function decide(context: SyncContext, triple: FileTriple, merge: ReconcileInput['merge']): Decision {
  const local = effectiveLocal(triple)
  const remote = keptInSight(context, triple)
  const path = remote?.path ?? local?.path ?? triple.synced?.path ?? ''
  return reconcile({
    id: triple.id,
    local,
    synced: triple.synced,
    remote,
    conflicts: context.database.conflicts.ofFile(triple.id),
    instance: context.instance(),
    policy: context.settings.policyFor(path),
    merge,
    now: nowIso(context),
  })
}

/**
 * The committed state; for a file that was moved elsewhere to a name that is ignored here, and edited here: as if it had
 * not been moved. An edit wins over a file's leaving as over its deletion.
 */
function keptInSight({ workspace }: SyncContext, triple: FileTriple): FileState | null {
  const { local, synced } = triple
  const live = liveState(triple)
  if (live === null || synced === null || local === null || local.absence !== null) return live
  if (live.path === synced.path || !isEdited(synced, local.state)) return live
  return workspace.isIgnored(live.path, live.kind) ? { ...live, path: synced.path } : live
}

/** Whether more was done to it here than to move it. */
export function isEdited(synced: FileState, local: FileState): boolean {
  return changedAspects(synced, local).some((aspect) => aspect !== 'path' && aspect !== 'mtime')
}

async function decideWithMerge(
  context: SyncContext,
  run: RunState,
  triple: FileTriple,
  merged: Map<ContentHash, Uint8Array>,
): Promise<Decision | null> {
  const decision = decide(context, triple, null)
  if (decision.needsMerge === null) return decision
  try {
    const content = await mergeContents(context, run, triple, decision.needsMerge)
    if (content === null) return decide(context, triple, { kind: 'conflict' })
    const hash = createHash('sha256').update(content).digest('hex')
    merged.set(hash, content)
    return decide(context, triple, { kind: 'merged', hash, size: content.length })
  } catch (error) {
    const path = triple.local?.state.path
    if (path === undefined || !isDavitError(error)) throw error
    if (error.code === 'file-changed') run.lookAgainAt(path, triple.id)
    // Only this one waits: until the content that its other side needs was sent again, or the file can be read.
    else if (waitingCodes.includes(error.code))
      run.skip(triple.id, { path, code: error.code, detail: error.message })
    else throw error
    return null
  }
}

const waitingCodes: readonly string[] = [
  'remote-damaged',
  'not-found',
  'file-busy',
  'file-unreadable',
  'path-unsafe',
]

/** `null` when they do not merge, are too large to try, or nobody can tell any more what they were made from. */
async function mergeContents(
  context: SyncContext,
  run: RunState,
  triple: FileTriple,
  needed: NonNullable<Decision['needsMerge']>,
): Promise<Uint8Array | null> {
  const { local } = triple
  const live = liveState(triple)
  if (local === null || local.stamp === null || live === null) return null
  if (Math.max(local.state.size, live.size, triple.synced?.size ?? 0) > mergeTextBytesMax) return null
  if (needed.base !== null && context.database.contents.find(needed.base) === null) return null
  const { signal } = run.options
  const chunks: Uint8Array[] = []
  for await (const chunk of context.workspace.source(local.state.path, local.stamp).open(signal))
    chunks.push(chunk)
  const remote = await fetchContent(context, needed.remote, mergeTextBytesMax, signal)
  const base = needed.base === null ? null : await fetchBase(context, needed.base, signal)
  if (base === 'lost') return null
  const result = context.merger.merge({ path: live.path, base, local: Buffer.concat(chunks), remote })
  return result.kind === 'merged' ? result.content : null
}

/**
 * Both sides may have replaced it, so that there is nobody who could send it again: the edits are whole without it, and
 * a person can decide.
 */
async function fetchBase(
  context: SyncContext,
  hash: ContentHash,
  signal: AbortSignal,
): Promise<Uint8Array | 'lost'> {
  try {
    return await fetchContent(context, hash, mergeTextBytesMax, signal)
  } catch (error) {
    if (isDavitError(error, 'remote-damaged')) return 'lost'
    throw error
  }
}
