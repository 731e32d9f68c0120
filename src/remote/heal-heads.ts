/** Brings several names in `version/` down to one, by a rule that every instance applies alike. */
import type { ChainPoint } from '../model/changeset.ts'
import { DavitError } from '../model/errors.ts'
import { healRoundsMax } from '../model/limits.ts'
import type { StoreContext } from './answer.ts'
import { readChangeset } from './changesets.ts'
import { compareHeads, deleteHead, listHeads, lookAtHeads, samePoint } from './head.ts'
import type { HeadListing } from './remote.ts'

/**
 * The names that go, given all of them. An ancestor of another name goes; among the rest the higher version stays,
 * then the smaller hash. An ancestor is always the lower version, so one order says both.
 */
export function losingHeads(heads: readonly ChainPoint[]): ChainPoint[] {
  return [...heads].sort(compareHeads).slice(1)
}

/** Deletes losing names, never a changeset, until one name is left; resolves with it. */
export async function healHeads(
  context: StoreContext,
  seen: readonly ChainPoint[],
  signal?: AbortSignal,
): Promise<ChainPoint> {
  let listing = await confirm(context, seen, signal)
  for (let round = 0; round < healRoundsMax; round++) {
    if (listing.kind === 'one') return listing.head
    if (listing.kind !== 'several') break
    const [winner] = [...listing.heads].sort(compareHeads)
    // A name stays only if what it stands for is there: otherwise nothing is deleted and the damage is told.
    if (winner !== undefined && winner.version > 0) await readChangeset(context, winner, signal)
    context.onFork(listing.heads)
    // ORDER: one after the other; some servers die of concurrent DELETEs in one collection.
    for (const head of losingHeads(listing.heads)) await deleteHead(context, head, signal)
    listing = await listHeads(context, signal)
  }
  throw new DavitError('remote-unexpected', 'the store does not come down to one head', {
    action: 'retry',
    hint: "This server's MOVE is not a rename: forks are healed, but another server serves better. `davit doctor` measures it.",
  })
}

/** The names that the caller saw after three looks, if they still stand; else they are looked at anew. */
async function confirm(
  context: StoreContext,
  seen: readonly ChainPoint[],
  signal?: AbortSignal,
): Promise<HeadListing> {
  const look = await lookAtHeads(context, signal)
  if (
    look.kind === 'names' &&
    look.heads.length === seen.length &&
    seen.length > 1 &&
    look.heads.every((head) => seen.some((other) => samePoint(head, other)))
  )
    return { kind: 'several', heads: look.heads }
  return listHeads(context, signal)
}
