/**
 * Becoming a member of a store: from its newest checkpoint where there is one, else from its first changeset. What
 * stands in the workspace already is held against it afterwards, like any other difference of the trees.
 */
import type { ChainPoint, ChangesetHeader, CheckpointReference } from '../model/changeset.ts'
import { emptyStorePoint } from '../model/changeset.ts'
import { emptyDigest } from '../model/digest.ts'
import { DavitError, isDavitError } from '../model/errors.ts'
import { breathe, type SyncContext } from './context.ts'
import { applyAll, hashAt, joiningKey, type TakeInOptions } from './take-in.ts'

/**
 * `fresh`: this state is new; files here that the store's history shows as deleted, unchanged, count as deleted.
 * `keep`: joined anew after the store was rolled back or replaced; whatever is only here is kept.
 */
export type JoinMode = 'fresh' | 'keep'

export interface JoinOptions extends TakeInOptions {
  readonly mode: JoinMode
  /** Make the store where there is none. */
  readonly create: boolean
}

/**
 * Joins the store, or creates it. Rejects with `remote-missing` when there is none and none may be created. May be
 * repeated after an interruption: it starts from the beginning.
 */
export async function join(context: SyncContext, options: JoinOptions): Promise<void> {
  const { database, remote } = context
  let listing = await remote.listHeads()
  if (listing.kind === 'missing' || listing.kind === 'empty') {
    if (!options.create) {
      throw new DavitError('remote-missing', `there is no store at ${remote.url}`, {
        action: 'ask',
        hint: 'Check the URL, or create the store with `davit init` or `--create`.',
      })
    }
    await remote.createStore()
    listing = await remote.listHeads()
  }
  if (listing.kind === 'several') listing = { kind: 'one', head: await remote.healHeads(listing.heads) }
  if (listing.kind !== 'one') {
    throw new DavitError(
      'remote-unexpected',
      `the store at ${remote.url} was made but does not show its head`,
      {
        action: 'retry',
        hint: 'Try again; if it stays so, the server does not keep what is written to it.',
      },
    )
  }
  const { head } = listing
  database.transaction(() => {
    database.settings.set(joiningKey, options.mode)
    database.trees.forgetRemote()
    database.chain.reset({
      replicaSet: null,
      point: head.version === 0 ? emptyStorePoint : null,
      digest: emptyDigest,
      checkpoint: null,
      chain: [],
    })
  })
  if (head.version === 0) return
  const { header } = await remote.readChangeset(head)
  const start = await startOf(context, header, options)
  const reading = await remote.readChain(start, head, (version) => hashAt(context, version), options.signal)
  if (reading.kind !== 'extends') {
    database.chain.reset({ replicaSet: null, point: null, digest: emptyDigest, checkpoint: null, chain: [] })
    throw new DavitError(
      'remote-damaged',
      `the chain of the store at ${remote.url} does not contain its own checkpoint`,
      {
        action: 'ask',
        hint: 'Another instance with an intact state can run `davit recover republish`.',
      },
    )
  }
  await applyAll(context, reading, options)
}

/** Loads the newest checkpoint, if the chain names one; tells where reading of changesets begins. */
async function startOf(
  context: SyncContext,
  header: ChangesetHeader,
  options: JoinOptions,
): Promise<ChainPoint> {
  const { database } = context
  if (header.checkpoint === null) {
    database.chain.reset({
      replicaSet: header.replicaSet,
      point: emptyStorePoint,
      digest: emptyDigest,
      checkpoint: null,
      chain: [],
    })
    return emptyStorePoint
  }
  await loadCheckpoint(context, header, header.checkpoint, options.signal)
  return { version: header.checkpoint.version, hash: header.checkpoint.chainHash }
}

const rowsPerTransaction = 500

async function loadCheckpoint(
  context: SyncContext,
  header: ChangesetHeader,
  reference: CheckpointReference,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { database, workspace, remote } = context
  const staged = await workspace.stage(reference.size)
  try {
    await remote.readCheckpoint(reference, staged.sink, signal)
    await staged.finish({ durable: false })
    // The chain says which state this must be: a checkpoint that agrees with nothing but itself is not taken.
    const point = { version: reference.version, hash: reference.chainHash }
    const { digest } = (await remote.readChangeset(point)).header
    const checkpoint = database.openCheckpoint(staged.path)
    try {
      const { meta } = checkpoint
      if (
        meta.replicaSet !== header.replicaSet ||
        meta.point.version !== reference.version ||
        meta.point.hash !== reference.chainHash ||
        meta.digest !== digest
      ) {
        throw damaged(
          reference,
          'it is not of the version, the state or the replica set that the chain states',
        )
      }
      await inBlocks(context, checkpoint.files(), (file) => database.trees.putRemote(file), signal)
      await inBlocks(context, checkpoint.contents(), (row) => database.contents.put(row), signal)
      await inBlocks(context, checkpoint.versions(), (version) => database.history.add(version), signal)
      await inBlocks(context, checkpoint.conflicts(), (conflict) => database.conflicts.put(conflict), signal)
      // ORDER: the point last. Until it stands, this instance has joined nothing and begins anew.
      database.chain.reset({
        replicaSet: meta.replicaSet,
        point: meta.point,
        digest: meta.digest,
        checkpoint: reference,
        chain: checkpoint.chain(),
      })
    } finally {
      checkpoint.close()
    }
  } catch (error) {
    // Whoever reads the file does not know what it is called in the store.
    if (!isDavitError(error, 'remote-damaged') || error.message.includes(reference.name)) throw error
    throw damaged(reference, error.message, error)
  } finally {
    await staged.discard()
  }
}

function damaged(reference: CheckpointReference, problem: string, cause?: unknown): DavitError {
  return new DavitError('remote-damaged', `the checkpoint ${reference.name} cannot be used: ${problem}`, {
    action: 'ask',
    hint: 'Nothing of it was taken. Restore it from a backup of the server, or join again when another instance has written a new one.',
    ...(cause === undefined ? {} : { cause }),
  })
}

async function inBlocks<T>(
  context: SyncContext,
  rows: Iterable<T>,
  write: (row: T) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  let block: T[] = []
  const flush = async () => {
    const rowsNow = block
    block = []
    context.database.transaction(() => {
      for (const row of rowsNow) write(row)
    })
    await breathe()
    signal?.throwIfAborted()
  }
  for (const row of rows) {
    block.push(row)
    if (block.length === rowsPerTransaction) await flush()
  }
  await flush()
}
