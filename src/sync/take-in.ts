/** Verified changesets into the database, one after the other. */
import { type Changeset, type ChangesetHash, emptyStorePoint } from '../model/changeset.ts'
import { applyChangeset } from './apply-changeset.ts'
import { breathe, type SyncContext } from './context.ts'

/** Set to the mode of a join until the first run after it has ended. */
export const joiningKey = 'sync.joining'

export interface TakeInOptions {
  readonly signal?: AbortSignal
  readonly onChangeset?: (done: number, total: number) => void
}

/** What this instance knows of an earlier version, the empty store included. */
export function hashAt(context: SyncContext, version: number): ChangesetHash | null {
  return version === 0 ? emptyStorePoint.hash : context.database.chain.hashAt(version)
}

/** Applies changesets in order; own ones whose attempt is still kept count as agreed. */
export async function applyAll(
  context: SyncContext,
  reading: { readonly count: number; readonly changesets: AsyncIterable<Changeset> },
  options: TakeInOptions,
): Promise<number> {
  let done = 0
  for await (const changeset of reading.changesets) {
    options.signal?.throwIfAborted()
    takeIn(context, changeset)
    done += 1
    options.onChangeset?.(done, reading.count)
    await breathe()
  }
  return done
}

/** One changeset into the database, with the attempts that it settles, and its events. */
export function takeIn(context: SyncContext, changeset: Changeset): void {
  const { database } = context
  database.transaction(() => {
    const attempts = database.chain.attempts()
    const own = attempts.some((attempt) => attempt.point.hash === changeset.point.hash)
    const keep = database.settings.get(joiningKey) === 'keep'
    const told = applyChangeset(database, changeset, { instance: context.instance().id, own, keep })
    // The chain has passed their version: what was tried for it is decided.
    for (const attempt of attempts) {
      if (attempt.point.version <= changeset.point.version) database.chain.removeAttempt(attempt.point.hash)
    }
    database.chain.clearOrphans(changeset.header.adopts)
    context.emitAll(told)
  })
}
