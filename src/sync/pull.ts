/**
 * Reads what others committed and takes it into the remote tree. Finds out, by names and hashes alone, whether the
 * store still is the one that this instance knows: a fork is healed here, a rolled back or foreign store halts.
 */
import { type ChainPoint, type Changeset, emptyStorePoint } from '../model/changeset.ts'
import type { Candidate, ConflictId } from '../model/conflict.ts'
import { emptyDigest } from '../model/digest.ts'
import { DavitError } from '../model/errors.ts'
import type { ContentHash, InstanceId } from '../model/file-state.ts'
import type { HeadListing } from '../remote/remote.ts'
import { revertChangeset } from './apply-changeset.ts'
import { breathe, type SyncContext } from './context.ts'
import { join } from './join.ts'
import { applyAll, hashAt, type TakeInOptions, takeIn } from './take-in.ts'

export interface PullOptions extends TakeInOptions {
  /** List `version/` instead of asking for the known head: at start, after an own commit, once a minute. */
  readonly list: boolean
}

export interface PullResult {
  /** Changesets taken in. */
  readonly count: number
  readonly point: ChainPoint
  /** Whether `version/` was listed. */
  readonly listed: boolean
}

/** Requires that this instance has joined a store. Leaves the remote tree at the head, or rejects with it unchanged. */
export async function pull(context: SyncContext, options: PullOptions): Promise<PullResult> {
  const { chain } = context.database
  const known = chain.point()
  if (known === null) throw new DavitError('internal', 'no store was joined yet', { action: 'give-up' })
  if (!options.list && (await context.remote.check(known)) === 'unchanged') {
    return { count: 0, point: known, listed: false }
  }
  const head = await currentHead(context, await context.remote.listHeads())
  if (head.version === known.version && head.hash === known.hash)
    return { count: 0, point: known, listed: true }
  const count = await readTo(context, known, head, options)
  return { count, point: chain.point() ?? head, listed: true }
}

/** The one head of the store that this instance joined; heals several. Rejects when the store is gone. */
async function currentHead(context: SyncContext, listing: HeadListing): Promise<ChainPoint> {
  switch (listing.kind) {
    case 'one':
      return listing.head
    case 'several':
      return context.remote.healHeads(listing.heads)
    case 'missing':
    case 'empty':
      throw new DavitError('remote-missing', `the store at ${context.remote.url} was emptied or removed`, {
        action: 'ask',
        hint: 'If it comes back, Davit goes on by itself. Otherwise choose: `davit recover republish` (put back what this instance has) or `davit recover adopt` (start a new store). Nothing was deleted here.',
      })
  }
}

async function readTo(
  context: SyncContext,
  known: ChainPoint,
  head: ChainPoint,
  options: PullOptions,
): Promise<number> {
  const { chain } = context.database
  const reading = await context.remote.readChain(
    known,
    head,
    (version) => hashAt(context, version),
    options.signal,
  )
  if (reading.kind === 'extends') return applyAll(context, reading, options)
  await takeOver(context, { known, ancestor: reading.ancestor, head, force: false }, options)
  return Math.max(0, (chain.point()?.version ?? 0) - (reading.ancestor?.version ?? 0))
}

const emptyChain = { point: emptyStorePoint, digest: emptyDigest, checkpoint: null, chain: [] } as const

export interface TakeOver {
  readonly known: ChainPoint
  readonly ancestor: ChainPoint | null
  readonly head: ChainPoint
  /** A person chose to republish: what the store lost is taken for orphaned without being looked for. */
  readonly force: boolean
}

/**
 * This instance's head is not in the chain. Changesets that the chain says it adopts are taken back from the remote
 * tree and `synced` is left alone; orphans of a fork go back to their `before`, so that ordinary reconciling makes
 * the changes again, and are named in the next commit. Anything else is a rolled back or replaced store.
 */
export async function takeOver(
  context: SyncContext,
  fork: TakeOver,
  options: Pick<PullOptions, 'signal' | 'onChangeset'>,
): Promise<void> {
  const { database, remote } = context
  const { ancestor, head, known } = fork
  if (ancestor === null) throw rolledBack(context, fork)
  const isOtherSet = await belongsToOtherSet(context, fork)
  const orphans = await ownChangesets(context, ancestor, known)
  const isBehind = head.version === ancestor.version
  const incoming = isBehind
    ? []
    : await collect(
        await remote.readChain(ancestor, head, (version) => hashAt(context, version), options.signal),
      )
  if (incoming === null) throw rolledBack(context, fork)
  if (orphans === null) {
    // The journal does not reach back that far. If everything that is known here was taken in by somebody, the store
    // is joined anew; files that are equal are recognised.
    if (!incoming.some((changeset) => changeset.header.adopts.includes(known.hash)))
      throw fork.force ? joinedLater(ancestor) : rolledBack(context, fork)
    await join(context, { mode: 'keep', create: false, ...options })
    return
  }
  const named = new Set(incoming.flatMap((changeset) => changeset.header.adopts))
  // Whoever takes an orphan in has taken in all that it stands on; a header names only so many.
  const newestNamed = orphans.findLastIndex((changeset) => named.has(changeset.point.hash))
  const adopted = new Set(orphans.slice(0, newestNamed + 1).map((changeset) => changeset.point.hash))
  const lost = orphans.filter((changeset) => !adopted.has(changeset.point.hash))
  if (lost.length > 0 && !fork.force) {
    if (isBehind) throw rolledBack(context, fork)
    for (const changeset of lost) {
      if (!(await remote.hasChangeset(changeset.point))) throw rolledBack(context, fork)
    }
  }
  const header = await headerAt(context, ancestor)
  database.transaction(() => {
    for (const changeset of [...orphans].reverse()) {
      const isAdopted = adopted.has(changeset.point.hash)
      revertChangeset(database, changeset, {
        instance: context.instance().id,
        ancestor: ancestor.version,
        undoSynced: !isAdopted,
        formerCandidate: (operation, side) => formerCandidate(context, changeset, operation.id, side),
      })
    }
    database.chain.rewind({
      point: ancestor,
      digest: header?.digest ?? emptyDigest,
      checkpoint: header?.checkpoint ?? null,
    })
    // The set's id was brought by the first commit, which is taken back: the one that stays brings its own.
    if (isOtherSet) database.chain.reset({ ...emptyChain, replicaSet: null })
    for (const changeset of lost) database.chain.putOrphan(changeset.point.hash)
  })
  context.emit({
    type: 'remote.fork',
    data: {
      ancestor: ancestor.version,
      head: `${head.version}-${head.hash}`,
      orphans: lost.map((changeset) => changeset.point.hash),
      adopted: orphans.length - lost.length,
    },
  })
  let done = 0
  for (const changeset of incoming) {
    takeIn(context, changeset)
    done += 1
    options.onChangeset?.(done, incoming.length)
    await breathe()
  }
}

/** A candidate as the newest changeset before this one brought it. */
function formerCandidate(
  context: SyncContext,
  changeset: Changeset,
  id: ConflictId,
  side: { readonly instance: InstanceId; readonly hash: ContentHash },
): Candidate {
  const { chain, contents } = context.database
  for (let version = changeset.point.version - 1; version > 0; version--) {
    const bytes = chain.bytesAt(version)
    const hash = chain.hashAt(version)
    if (bytes === null || hash === null) break
    for (const operation of context.remote.decodeChangeset({ version, hash }, bytes).operations) {
      if (operation.kind !== 'conflict' || operation.id !== id) continue
      const found = operation.add.find(
        (added) => added.instance === side.instance && added.hash === side.hash,
      )
      if (found !== undefined) return found
    }
  }
  // The journal does not reach back to it: only what is for people is missing.
  const size = contents.find(side.hash)?.size ?? 0
  return { ...side, name: side.instance, size, at: changeset.header.at }
}

/**
 * Whether the store's set is another than this instance's because its first commit was lost to another creator's: the
 * first head came back after it (somebody's late upload), and a second commit was made on it. Rejects with
 * `remote-foreign` for any other store than the one that was joined.
 */
async function belongsToOtherSet(
  context: SyncContext,
  { known, ancestor, head }: Pick<TakeOver, 'known' | 'ancestor' | 'head'>,
): Promise<boolean> {
  const expected = context.database.chain.replicaSet()
  if (head.version === 0 || expected === null) return false
  const found = (await context.remote.readChangeset(head)).header.replicaSet
  if (found === expected) return false
  // Only a store in which this instance's commit 1 lies as well is the one that it joined.
  if (known.version === 1 && ancestor?.version === 0 && (await context.remote.hasChangeset(known)))
    return true
  throw new DavitError(
    'remote-foreign',
    `the store at ${context.remote.url} belongs to another replica set`,
    {
      action: 'ask',
      hint: 'Check the URL. If the store was replaced on purpose, run `davit recover adopt`: it is joined as it is, and what only exists here is kept. Nothing was deleted.',
      details: { expected, found },
    },
  )
}

/** The changesets of the journal behind `ancestor` up to `known`; `null` when the journal does not reach that far. */
async function ownChangesets(
  context: SyncContext,
  ancestor: ChainPoint,
  known: ChainPoint,
): Promise<Changeset[] | null> {
  const changesets: Changeset[] = []
  for (let version = ancestor.version + 1; version <= known.version; version++) {
    const bytes = context.database.chain.bytesAt(version)
    const hash = context.database.chain.hashAt(version)
    if (bytes === null || hash === null) return null
    changesets.push(context.remote.decodeChangeset({ version, hash }, bytes))
    if (changesets.length % 100 === 0) await breathe()
  }
  return changesets
}

/** Of a changeset that the store's chain still has: the journal of one who joined by a checkpoint may begin later. */
async function headerAt({ database, remote }: SyncContext, point: ChainPoint) {
  if (point.version === 0) return null
  const bytes = database.chain.bytesAt(point.version)
  const changeset = bytes === null ? await remote.readChangeset(point) : remote.decodeChangeset(point, bytes)
  return changeset.header
}

function joinedLater(ancestor: ChainPoint): DavitError {
  return new DavitError(
    'remote-rolled-back',
    `the journal of this instance does not reach back to version ${ancestor.version}, the last one that the store still shares with it: what came between cannot be committed again from here`,
    {
      action: 'ask',
      hint: 'Run `davit recover republish` on an instance that has been in the set for longer, or `davit recover adopt` here: the store is joined as it is, and what only exists here is kept.',
    },
  )
}

async function collect(
  reading: Awaited<ReturnType<SyncContext['remote']['readChain']>>,
): Promise<Changeset[] | null> {
  if (reading.kind !== 'extends') return null
  const changesets: Changeset[] = []
  for await (const changeset of reading.changesets) changesets.push(changeset)
  return changesets
}

function rolledBack(context: SyncContext, fork: Pick<TakeOver, 'known' | 'head'>): DavitError {
  return new DavitError(
    'remote-rolled-back',
    `the store at ${context.remote.url} was rolled back or replaced: it stands at version ${fork.head.version}, without version ${fork.known.version} that this instance has seen`,
    {
      action: 'ask',
      hint: 'Choose: `davit recover republish` (commit again what the store lost), `davit recover adopt` (join the store as it is and keep what only exists here), or repair the store. Nothing was deleted here.',
      details: {
        known: `${fork.known.version}-${fork.known.hash}`,
        head: `${fork.head.version}-${fork.head.hash}`,
      },
    },
  )
}
