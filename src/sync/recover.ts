/**
 * The ways out after the store was rolled back, replaced or emptied, chosen by a person.
 */
import { type ChangesetHash, emptyStorePoint } from '../model/changeset.ts'
import { emptyDigest } from '../model/digest.ts'
import { DavitError } from '../model/errors.ts'
import type { SyncContext } from './context.ts'
import { join } from './join.ts'
import { takeOver } from './pull.ts'
import { hashAt, joiningKey } from './take-in.ts'

/**
 * `republish`: what the store lost is taken for orphaned; the next run commits it again from what is here, naming the
 * lost commits, so that the other instances go on by themselves. `adopt`: the store is joined as it is; what only
 * exists here is kept and committed as new. Both change only the index; a run has to follow.
 */
export async function recover(
  context: SyncContext,
  choice: 'republish' | 'adopt',
  signal?: AbortSignal,
): Promise<void> {
  if (choice === 'adopt') {
    const { chain } = context.database
    chain.clearOrphans(chain.orphans())
    await join(context, { mode: 'keep', create: true, ...(signal === undefined ? {} : { signal }) })
    return
  }
  await republish(context)
}

async function republish(context: SyncContext): Promise<void> {
  const { database, remote } = context
  const { chain } = database
  const known = chain.point()
  if (known === null) {
    throw new DavitError(
      'bad-request',
      'this instance has not joined a store yet: there is nothing to republish',
      {
        action: 'give-up',
        hint: 'Run `davit sync --create` or `davit recover adopt`.',
      },
    )
  }
  let listing = await remote.listHeads()
  if (listing.kind === 'missing' || listing.kind === 'empty') {
    await remote.createStore()
    listing = await remote.listHeads()
  }
  const head =
    listing.kind === 'one'
      ? listing.head
      : listing.kind === 'several'
        ? await remote.healHeads(listing.heads)
        : emptyStorePoint
  if (head.version === known.version && head.hash === known.hash) return
  const reading = await remote.readChain(known, head, (version) => hashAt(context, version))
  if (reading.kind === 'extends') return
  const ancestor = reading.ancestor ?? emptyStorePoint
  if (ancestor.version === 0 && chain.bytesAt(1) === null) {
    // The journal does not reach back to the beginning: everything is committed anew under its ids.
    const lost: ChangesetHash[] = []
    for (let version = known.version; version >= 1; version--) {
      const hash = chain.hashAt(version)
      if (hash === null) break
      lost.push(hash)
    }
    if (head.version !== 0) {
      throw new DavitError('remote-foreign', 'the store holds another history from its first commit on', {
        action: 'ask',
        hint: 'Run `davit recover adopt`, or point this instance at the store that it belongs to.',
      })
    }
    const replicaSet = chain.replicaSet()
    database.transaction(() => {
      database.trees.forgetRemote()
      chain.reset({ replicaSet, point: emptyStorePoint, digest: emptyDigest, checkpoint: null, chain: [] })
      for (const hash of lost) chain.putOrphan(hash)
      database.settings.set(joiningKey, 'keep')
    })
    return
  }
  await takeOver(context, { known, ancestor, head, force: true }, {})
}
