/**
 * Turns operations into a commit: changeset first, under a name that nobody contests; then the durable attempt; then
 * the one rename that decides. Only what was won counts as agreed.
 */
import type { ChainPoint, Changeset, ChangesetHash, ChangesetHeader, Operation } from '../model/changeset.ts'
import { DavitError, isDavitError } from '../model/errors.ts'
import {
  adoptsMax,
  ancestorsMax,
  attemptDelayBaseMs,
  attemptDelayMaxMs,
  uploadAttemptsMax,
} from '../model/limits.ts'
import { breathe, nowIso, type SyncContext } from './context.ts'
import { digestAfter, doubledPath } from './state-changes.ts'
import { hashAt, takeIn } from './take-in.ts'

/** Set by the commit that made the store, until `format.json` was written (see maintenance). */
export const formatDueKey = 'sync.formatDue'

export type CommitResult =
  | { readonly kind: 'won'; readonly point: ChainPoint; readonly changeset: Changeset }
  /** Somebody else's commit came first: pull, reconcile, and try again on top. */
  | { readonly kind: 'lost' }

/**
 * Commits on top of the version that the remote tree stands for. When it rejects, the outcome may be unknown: the
 * attempt stays in the database, and `settleAttempts` finds out.
 */
export async function commitOperations(
  context: SyncContext,
  operations: readonly Operation[],
  signal?: AbortSignal,
): Promise<CommitResult> {
  const { database } = context
  const { chain } = database
  const parent = chain.point()
  if (parent === null) throw new Error('commit before joining a store')
  const doubled = doubledPath(database, operations)
  if (doubled !== null)
    throw new DavitError('internal', `a second file was to be committed at '${doubled}'`, {
      action: 'give-up',
    })
  const version = parent.version + 1
  const at = nowIso(context)
  const instance = context.instance()
  const announced = operations.find((operation) => operation.kind === 'checkpoint')
  const { point, bytes } = await writeChangeset(
    context,
    {
      format: 1,
      version,
      parent: parent.hash,
      replicaSet: chain.replicaSet() ?? context.random.uuid(),
      instance,
      at,
      operations: operations.length,
      ancestors: ancestorsOf(context, parent),
      adopts: chain.orphans().slice(-adoptsMax),
      digest: digestAfter(database, operations, { version, time: at }),
      checkpoint: announced?.kind === 'checkpoint' ? announced.checkpoint : chain.checkpoint(),
    },
    operations,
    signal,
  )
  // ORDER: the attempt is durable before the rename is sent. A crash in between leaves the question open, never
  // unasked.
  database.transaction(() => chain.putAttempt({ parent, point, bytes }))
  return settle(context, parent, point, bytes, signal)
}

/** Uploads the changeset under a name of its own for each attempt: a name in doubt is never used again. */
async function writeChangeset(
  { remote, clock, random }: SyncContext,
  header: Omit<ChangesetHeader, 'nonce'>,
  operations: readonly Operation[],
  signal: AbortSignal | undefined,
): Promise<{ readonly point: ChainPoint; readonly bytes: Uint8Array }> {
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted()
    const encoded = remote.encodeChangeset({ ...header, nonce: random.hex(16) }, operations)
    try {
      await remote.writeChangeset(encoded.point, encoded.bytes)
      return encoded
    } catch (error) {
      if (attempt >= uploadAttemptsMax || !isDavitError(error, 'remote-unreachable', 'remote-busy'))
        throw error
    }
    const most = Math.min(attemptDelayBaseMs * 2 ** attempt, attemptDelayMaxMs)
    await clock.sleep(Math.ceil(most * random.fraction()) + 1, signal)
  }
}

/**
 * Finds the outcome of commits that an earlier run left open. An attempt whose parent is still the head is repeated
 * as it is: whichever of its renames the server executes, the outcome is the same. Resolves with the number of
 * deletions that this committed.
 */
export async function settleAttempts(context: SyncContext, signal?: AbortSignal): Promise<number> {
  const { chain } = context.database
  let deletions = 0
  for (const attempt of chain.attempts()) {
    const point = chain.point()
    if (point === null || point.hash !== attempt.parent.hash) {
      // Its parent is behind the head: reading the chain tells (see `takeIn`); behind a fork it can never win.
      if (point !== null && point.version >= attempt.point.version) chain.removeAttempt(attempt.point.hash)
      continue
    }
    const result = await settle(context, attempt.parent, attempt.point, attempt.bytes, signal)
    if (result.kind === 'won')
      deletions += result.changeset.operations.filter(({ kind }) => kind === 'delete').length
  }
  return deletions
}

async function settle(
  context: SyncContext,
  parent: ChainPoint,
  point: ChainPoint,
  bytes: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<CommitResult> {
  const outcome = await context.remote.commit(parent, point, signal)
  if (outcome.kind === 'lost') {
    context.database.transaction(() => context.database.chain.removeAttempt(point.hash))
    return { kind: 'lost' }
  }
  const changeset = context.remote.decodeChangeset(point, bytes)
  await breathe()
  takeIn(context, changeset)
  if (point.version === 1) context.database.settings.set(formatDueKey, true)
  return { kind: 'won', point, changeset }
}

function ancestorsOf(context: SyncContext, parent: ChainPoint): ChangesetHash[] {
  const hashes: ChangesetHash[] = []
  for (let version = parent.version; version >= 1 && hashes.length < ancestorsMax; version--) {
    const hash = hashAt(context, version)
    if (hash === null) break
    hashes.push(hash)
  }
  return hashes
}
