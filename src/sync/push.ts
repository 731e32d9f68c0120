/**
 * The remote half of a batch: contents into the store, then the operations that speak of them. What cannot be sent
 * now is left out with a problem; it never holds up the rest, except what needs its path.
 */

import type { Operation } from '../model/changeset.ts'
import type { ContentSource } from '../model/content.ts'
import { liveState } from '../model/dirtiness.ts'
import { type DavitError, isDavitError } from '../model/errors.ts'
import type { EventDraft } from '../model/event.ts'
import type { ContentHash, FileId, FilePath, FileState, FileTriple } from '../model/file-state.ts'
import { changesetOperationsMax, changesetPlainBytesMax, commitContentBytesMax } from '../model/limits.ts'
import type { ConflictChange, Decision } from '../reconcile/decision.ts'
import { commitOperations } from './commit.ts'
import { breathe, nowIso, type SyncContext } from './context.ts'
import { putOperation } from './put-operation.ts'
import { requireRoot } from './require-root.ts'
import type { RunState } from './run-state.ts'
import { lookAtUnseen } from './unseen-conflicts.ts'

/** A decision whose local half stands on the disk, and the file as the trees have it now. */
export interface Planned {
  readonly decision: Decision
  readonly triple: FileTriple
}

/** The operations of one file, and the contents that have to be in the store before them. */
interface Wish {
  readonly id: FileId
  readonly operations: readonly Operation[]
  readonly contents: readonly { readonly hash: ContentHash; readonly size: number }[]
  /** The path that the file takes, and the one that it gives up, in the remote tree. */
  readonly takes: FilePath | null
  readonly gives: FilePath | null
  /** Of a folder's own entry, which stands for one with nothing in it. */
  readonly isFolder: boolean
  readonly deletion: FilePath | null
  readonly triple: FileTriple
  readonly plainBytes: number
}

/** Notices beside the other operations of one changeset: few enough to fit behind a full group. */
const noticesPerCommit = 50

export type PushResult = 'done' | 'lost'

/** Commits what the decisions ask of the remote, in as many changesets as it needs. `lost`: pull and plan again. */
export async function push(
  context: SyncContext,
  run: RunState,
  planned: readonly Planned[],
): Promise<PushResult> {
  const wishes = planned.flatMap((one) => {
    const wish = wishOf(context, one)
    return wish === null || forgetFilled(context, wish) ? [] : [wish]
  })
  if (wishes.length === 0) return commitNotices(context, run)
  const uploader = new Uploader(context, run)
  for (const group of changesetGroups(context, wishes)) {
    run.options.signal.throwIfAborted()
    const ready = await uploader.upload(group)
    const standing = withFreePaths(context, await confirmDeletions(context, run, ready))
    if (standing.length === 0) continue
    await breathe()
    const told = run.notices.slice(0, noticesPerCommit)
    const operations = [
      ...uploader.objectsFor(standing),
      ...standing.flatMap((wish) => wish.operations),
      ...told,
    ]
    const result = await run.timed('commit', () => commitOperations(context, operations, run.options.signal))
    if (result.kind === 'lost') return 'lost'
    await lookAtUnseen(context, run)
    run.notices.splice(0, told.length)
    await breathe()
    count(context, run, standing)
    run.progress('push', standing.length, wishes.length)
  }
  return commitNotices(context, run)
}

/** What was settled by a rule is told to everybody, also when nothing else is left to commit. */
export async function commitNotices(context: SyncContext, run: RunState): Promise<PushResult> {
  while (run.notices.length > 0) {
    const told = run.notices.slice(0, noticesPerCommit)
    const result = await run.timed('commit', () => commitOperations(context, told, run.options.signal))
    if (result.kind === 'lost') return 'lost'
    run.notices.splice(0, told.length)
  }
  return 'done'
}

function wishOf(context: SyncContext, { decision, triple }: Planned): Wish | null {
  const live = liveState(triple)
  const operations: Operation[] = []
  const contents: { hash: ContentHash; size: number }[] = []
  const target = decision.remote
  if (target === null && live !== null) {
    operations.push({ kind: 'delete', id: decision.id, before: live })
  } else if (target !== null && (live === null || JSON.stringify(target) !== JSON.stringify(live))) {
    if (live === null || !sameState(live, target)) {
      operations.push(putOperation(decision.id, live, target))
      if (target.hash !== null && target.hash !== live?.hash)
        contents.push({ hash: target.hash, size: target.size })
    }
  }
  for (const change of decision.conflicts) {
    const operation = conflictOperation(context, decision, triple, change)
    if (operation === null) continue
    operations.push(operation)
    if ((change.change === 'open' || change.change === 'update') && change.aspect === 'content') {
      contents.push({ hash: change.own.hash, size: change.own.size })
    }
  }
  if (operations.length === 0) return null
  return {
    id: decision.id,
    operations,
    contents,
    takes: target !== null && target.path !== live?.path ? target.path : null,
    gives: live !== null && target?.path !== live.path ? live.path : null,
    isFolder: target?.kind === 'folder',
    deletion: target === null && live !== null && triple.local === null ? live.path : null,
    triple,
    plainBytes: operations.reduce(
      (sum, operation) => sum + Buffer.byteLength(JSON.stringify(operation)) + 1,
      0,
    ),
  }
}

function sameState(left: FileState, right: FileState): boolean {
  return putIsEmpty(putOperation('', left, right))
}

function putIsEmpty(operation: Operation): boolean {
  return operation.kind === 'put' && operation.before !== null && Object.keys(operation.before).length === 0
}

function conflictOperation(
  context: SyncContext,
  decision: Decision,
  triple: FileTriple,
  change: ConflictChange,
): Operation | null {
  const { id: instance, name } = context.instance()
  const path = decision.remote?.path ?? decision.local?.path ?? triple.remote?.state.path ?? ''
  const open = context.database.conflicts.get(change.id)
  switch (change.change) {
    case 'open':
    case 'update':
      return {
        kind: 'conflict',
        id: change.id,
        fileId: decision.id,
        path,
        conflict: open?.kind ?? change.kind,
        aspect: change.aspect,
        base: open === null ? change.base : open.base,
        add: [
          {
            instance,
            name,
            hash: change.own.hash,
            size: change.own.size,
            ...(change.own.value === undefined ? {} : { value: change.own.value }),
            at: nowIso(context),
          },
        ],
        remove: change.replaces === null ? [] : [{ instance, hash: change.replaces }],
      }
    case 'withdraw': {
      if (open === null) return null
      if (open.candidates.some((side) => side.instance !== instance)) {
        return {
          kind: 'conflict',
          id: open.id,
          fileId: open.fileId,
          path,
          conflict: open.kind,
          aspect: open.aspect,
          base: open.base,
          add: [],
          remove: [{ instance, hash: change.hash }],
        }
      }
      return resolveOperation(open, 'equal', committedHashes(triple))
    }
    case 'deleted':
      return open === null ? null : resolveOperation(open, 'deleted', committedHashes(triple))
  }
}

function committedHashes(triple: FileTriple): ContentHash[] {
  const hash = liveState(triple)?.hash
  return hash === null || hash === undefined ? [] : [hash]
}

/** Closes a conflict over every side that is written in it, and the committed ones named beside. */
export function resolveOperation(
  open: import('../model/conflict.ts').Conflict,
  strategy: Extract<Operation, { readonly kind: 'resolve' }>['strategy'],
  committed: readonly ContentHash[],
): Operation {
  return {
    kind: 'resolve',
    id: open.id,
    fileId: open.fileId,
    strategy,
    decided: [...new Set([...open.candidates.map((side) => side.hash), ...committed])],
    before: {
      path: open.path,
      conflict: open.kind,
      aspect: open.aspect,
      base: open.base,
      candidates: open.candidates,
      detectedAt: open.detectedAt,
      version: open.version,
    },
  }
}

/**
 * Cuts the wishes into groups that fit one changeset each. A wish comes after the one that vacates the path it takes,
 * or in the same group: a changeset is applied as a set, so a cycle stays together. A chain may be cut anywhere.
 */
function changesetGroups(context: SyncContext, wishes: readonly Wish[]): Wish[][] {
  const byVacated = new Map<FilePath, Wish>()
  for (const wish of wishes) if (wish.gives !== null) byVacated.set(wish.gives, wish)
  const groups: Wish[][] = []
  const placed = new Set<FileId>()
  let group: Wish[] = []
  let operations = 0
  let plain = 0
  let bytes = 0
  const close = () => {
    if (group.length > 0) groups.push(group)
    group = []
    operations = 0
    plain = 0
    bytes = 0
  }
  const add = (block: readonly Wish[]) => {
    const costs = block.map((wish) => costOf(context, wish))
    const sum = (part: 'operations' | 'plain' | 'bytes') =>
      costs.reduce((total, cost) => total + cost[part], 0)
    const isFull =
      operations + sum('operations') > changesetOperationsMax - noticesPerCommit ||
      plain + sum('plain') > changesetPlainBytesMax * 0.9 ||
      bytes + sum('bytes') > commitContentBytesMax
    if (isFull) close()
    group.push(...block)
    operations += sum('operations')
    plain += sum('plain')
    bytes += sum('bytes')
  }
  for (const first of wishes) {
    if (placed.has(first.id)) continue
    // The chain of files that have to go before it, down to a free path or round a cycle.
    const together: Wish[] = []
    let next: Wish | undefined = first
    while (next !== undefined && !placed.has(next.id)) {
      placed.add(next.id)
      together.push(next)
      next = next.takes === null ? undefined : byVacated.get(next.takes)
    }
    // A cycle has to stay in one changeset; a chain may be cut anywhere, from its free end on.
    const cycleStart = next === undefined ? -1 : together.findIndex(({ id }) => id === next?.id)
    if (cycleStart >= 0) add(together.splice(cycleStart))
    for (const wish of together.reverse()) add([wish])
  }
  close()
  return groups
}

/** What a wish takes of the bounds of a changeset, with the objects that it may need beside it. */
function costOf(context: SyncContext, wish: Wish): { operations: number; plain: number; bytes: number } {
  const missing = wish.contents.filter(({ hash }) => context.database.contents.find(hash) === null)
  return {
    operations: wish.operations.length + missing.length,
    plain: wish.plainBytes + missing.length * 256,
    bytes: missing.reduce((sum, content) => sum + content.size, 0),
  }
}

/** Contents of a batch on their way into the store, each hash once. */
class Uploader {
  private readonly context: SyncContext
  private readonly run: RunState

  constructor(context: SyncContext, run: RunState) {
    this.context = context
    this.run = run
  }

  /** The wishes whose contents are all in the store, or were there. */
  async upload(wishes: readonly Wish[]): Promise<Wish[]> {
    const jobs = new Map<ContentHash, { readonly size: number; readonly wishes: Wish[] }>()
    for (const wish of wishes) {
      for (const { hash, size } of wish.contents) {
        if (this.run.objects.has(hash) || this.context.database.contents.find(hash) !== null) continue
        const job = jobs.get(hash)
        if (job === undefined) jobs.set(hash, { size, wishes: [wish] })
        else job.wishes.push(wish)
      }
    }
    const failed = new Set<FileId>()
    const queue = [...jobs]
    let done = 0
    let next = 0
    let stopped: unknown = null
    this.run.bytesTotal += queue.reduce((sum, [, { size }]) => sum + size, 0)
    const work = async () => {
      while (next < queue.length && stopped === null) {
        const job = queue[next]
        next += 1
        if (job === undefined) return
        const [hash, { size, wishes: users }] = job
        try {
          if (!(await this.uploadOne(hash, size, users))) for (const user of users) failed.add(user.id)
          done += 1
          this.run.progress('push', done, queue.length)
        } catch (error) {
          stopped ??= error
        }
      }
    }
    await this.run.timed('push', () =>
      Promise.all(Array.from({ length: Math.min(this.context.settings.concurrency, queue.length) }, work)),
    )
    if (stopped !== null) throw stopped
    return wishes.filter((wish) => !failed.has(wish.id))
  }

  /** `false` when no file here has the content any more, or the store does not take it. */
  private async uploadOne(hash: ContentHash, size: number, users: readonly Wish[]): Promise<boolean> {
    const { remote } = this.context
    for (const user of users) {
      const source = this.sourceOf(hash, user)
      if (source === null) continue
      try {
        const name = await remote.writeContent(hash, source, this.run.options.signal)
        this.run.objects.set(hash, { kind: 'object', hash, size, name, before: null })
        this.run.uploaded += 1
        this.run.bytesDone += size
        return true
      } catch (error) {
        if (isDavitError(error, 'file-changed')) {
          this.distrust(user.id)
          continue
        }
        if (isDavitError(error, 'remote-too-large', 'file-unreadable', 'file-busy', 'remote-full')) {
          for (const wish of users) this.run.skip(wish.id, this.problemOf(wish, error))
          return false
        }
        throw error
      }
    }
    return false
  }

  private problemOf(wish: Wish, error: DavitError) {
    const path = wish.triple.local?.state.path ?? wish.triple.remote?.state.path ?? ''
    return { path, code: error.code, detail: error.message }
  }

  /**
   * What is there is not what was read before, though perhaps size and times tell nothing of it: it was written within
   * one step of the disk's clock. It is read again whatever they tell.
   */
  private distrust(id: FileId): void {
    const { trees } = this.context.database
    const { local } = trees.triple(id)
    if (local === null || local.absence !== null) return
    if (!local.racy) trees.putLocal({ ...local, racy: true })
    this.run.lookAgainAt(local.state.path, id)
  }

  private sourceOf(hash: ContentHash, user: Wish): ContentSource | null {
    const local = this.context.database.trees.triple(user.id).local
    if (local === null || local.stamp === null || local.state.hash !== hash) return null
    return this.context.workspace.source(local.state.path, local.stamp)
  }

  objectsFor(wishes: readonly Wish[]): Operation[] {
    const operations = new Map<ContentHash, Operation>()
    for (const wish of wishes) {
      for (const { hash } of wish.contents) {
        const operation = this.run.objects.get(hash)
        if (operation === undefined || this.context.database.contents.find(hash) !== null) continue
        operations.set(hash, operation)
      }
    }
    return [...operations.values()]
  }
}

/** A deletion is committed only when, at this moment, the root is the right one and nothing stands at the path. */
async function confirmDeletions(
  context: SyncContext,
  run: RunState,
  wishes: readonly Wish[],
): Promise<Wish[]> {
  if (!wishes.some((wish) => wish.deletion !== null)) return [...wishes]
  const standing: Wish[] = []
  for (const wish of wishes) {
    if (wish.deletion !== null) {
      const entry = await context.workspace.look(wish.deletion)
      if (entry !== null && entry.kind === wish.triple.remote?.state.kind) {
        const here = context.database.trees.localAt(wish.deletion)
        if (here === null) {
          run.lookAgainAt(wish.deletion, wish.id)
          continue
        }
      }
      if (entry?.kind === 'unknown') {
        run.skip(wish.id, {
          path: wish.deletion,
          code: 'file-unreadable',
          detail: 'it cannot be told whether it was deleted',
        })
        continue
      }
    }
    standing.push(wish)
  }
  await requireRoot(context)
  return standing
}

/** Leaves out whatever would stand at a path that is not free once this changeset is applied. */
function withFreePaths(context: SyncContext, wishes: readonly Wish[]): Wish[] {
  let standing = [...wishes]
  for (;;) {
    const ids = new Set(standing.map((wish) => wish.id))
    const given = new Set(standing.flatMap((wish) => (wish.gives === null ? [] : [wish.gives])))
    const kept = standing.filter((wish) => {
      if (wish.takes === null) return true
      if (wish.isFolder && !isEmptied(context, wish.takes, given)) return false
      if (given.has(wish.takes)) return true
      const holder = context.database.trees.remoteAt(wish.takes)
      return holder === null || holder.id === wish.id || (ids.has(holder.id) && given.has(wish.takes))
    })
    if (kept.length === standing.length) return kept
    standing = kept
  }
}

/**
 * A folder that was empty when it was looked at, and to which a pull has brought something since, needs no entry of its
 * own. Answers whether it was that.
 */
function forgetFilled({ database }: SyncContext, { id, isFolder, takes, triple }: Wish): boolean {
  if (!isFolder || takes === null || liveState(triple) !== null || triple.local === null) return false
  if (!database.trees.hasBelow('local', takes)) return false
  database.transaction(() => database.trees.removeLocal(id))
  return true
}

/**
 * Whether all that stands below the folder in the store goes with this commit. Where a file in it could not be fetched,
 * the folder is empty here only: its entry would be taken away by those who have the file, and made again, for ever.
 */
function isEmptied({ database }: SyncContext, folder: FilePath, given: ReadonlySet<FilePath>): boolean {
  if (!database.trees.hasBelow('remote', folder)) return true
  for (let after: FilePath | undefined; ; ) {
    const page = database.trees.remotePage({
      under: folder,
      limit: 500,
      ...(after === undefined ? {} : { after }),
    })
    if (page.some(({ state }) => state.path !== folder && !given.has(state.path))) return false
    after = page.at(-1)?.state.path
    if (page.length < 500) return true
  }
}

function count(context: SyncContext, run: RunState, wishes: readonly Wish[]): void {
  const origin = context.instance().name
  const events: EventDraft[] = []
  for (const wish of wishes) {
    for (const operation of wish.operations) {
      if (operation.kind === 'delete') {
        run.deletedThere += 1
        events.push({ type: 'file.deleted', data: { fileId: wish.id, path: operation.before.path, origin } })
      } else if (operation.kind === 'put') {
        const { before, after } = operation
        const data = { fileId: wish.id, path: after.path, origin }
        if (before === null) events.push({ type: 'file.added', data })
        else if (before.path !== undefined) {
          run.moved += 1
          events.push({ type: 'file.moved', data: { ...data, from: before.path } })
          if (before.hash !== undefined) events.push({ type: 'file.updated', data })
        } else {
          if (before.hash === undefined) run.metadata += 1
          events.push({ type: 'file.updated', data })
        }
      }
    }
  }
  context.emitAll(events)
}
