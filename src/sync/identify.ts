/** Whether a file that is new here is one that the chain knows. Asked before anything is decided or counted. */
import { liveState } from '../model/dirtiness.ts'
import type { FileId, FileState, FileTriple } from '../model/file-state.ts'
import { agreedBase } from '../reconcile/agreed-base.ts'
import { breathe, type SyncContext } from './context.ts'
import { joiningKey } from './take-in.ts'

/**
 * ORDER: all of them before the deletions are counted and the first page is planned. A file that is back stands in
 * another row than the one that misses it until then, which alone would be taken for deleted.
 */
export async function identifyAll(context: SyncContext): Promise<void> {
  // Those that could not be read before.
  if (claimArrivals(context)) context.database.arriving.clear()
  for (let after: FileId | undefined; ; ) {
    const page = context.database.trees.dirtyPage({
      limit: 2_000,
      ...(after === undefined ? {} : { after }),
    })
    context.database.transaction(() => {
      for (const triple of page) identify(context, triple)
    })
    after = page.at(-1)?.id
    if (page.length < 2_000) return
    await breathe()
  }
}

/**
 * What an interrupted run had put into the workspace without coming to write it down, new files and newer contents of
 * others, is what the chain had. Taken for somebody's it would bring back what was deleted since, and clash with what
 * was edited since. Of a content that the chain has replaced meanwhile this cannot be told any more. Answers whether
 * there was anything to ask about.
 */
export function claimArrivals(context: SyncContext): boolean {
  const { arriving, trees } = context.database
  const files = arriving.all()
  if (files.length === 0) return false
  context.database.transaction(() => {
    for (const { id, path, hash } of files) {
      const row = trees.localAt(path)
      if (row === null || row.absence !== null || row.state.hash !== hash) continue
      const known = trees.triple(id)
      if (row.id === id) {
        agreeOn(context, known, row.state)
        continue
      }
      const found = trees.triple(row.id)
      const isUnclaimed = found.synced === null && found.remote === null && known.local === null
      if (isUnclaimed && known.remote !== null) rekey(context, found, known, row.state)
    }
  })
  return true
}

/** As its row would have told: only of what is here as it is in the chain. */
function agreeOn({ database }: SyncContext, known: FileTriple, local: FileState): void {
  const live = liveState(known)
  if (live === null || live.hash !== local.hash) return
  database.trees.putSynced(known.id, agreedBase(known.synced ?? { ...local, metadata: {} }, local, live))
}

/**
 * The triple under which the file is decided: of a file created at the same path by somebody else; of one that was
 * missed here and is back at its path before its deletion was committed; or, while joining with a fresh state, of one
 * that somebody else deleted and that was left here unchanged. Otherwise the triple itself.
 */
export function identify(context: SyncContext, triple: FileTriple): FileTriple {
  const { trees, settings } = context.database
  const { local } = triple
  if (local === null || local.absence !== null || triple.synced !== null || triple.remote !== null)
    return triple
  const { state } = local
  const there = trees.remoteAt(state.path)
  if (there !== null && there.id !== triple.id && there.state.kind === state.kind) {
    const known = trees.triple(there.id)
    const isBack = known.synced !== null && known.synced.path === state.path
    if (known.local === null && (known.synced === null || isBack))
      return rekey(context, triple, known, known.synced)
  }
  if (there === null && settings.get(joiningKey) === 'fresh') {
    const tombstone = trees.tombstoneAt(state.path, state.hash)
    if (tombstone !== null) {
      const known = trees.triple(tombstone.id)
      if (known.local === null) return rekey(context, triple, known, state)
    }
  }
  return triple
}

/** What was agreed on keeps its fields: nobody took them away, the new file just does not bring them. */
function rekey(
  context: SyncContext,
  triple: FileTriple,
  known: FileTriple,
  synced: FileState | null,
): FileTriple {
  const { database } = context
  const { trees } = database
  database.transaction(() => {
    trees.rekeyLocal(triple.id, known.id)
    const { local } = trees.triple(known.id)
    if (local !== null && synced !== null) {
      const metadata = { ...synced.metadata, ...local.state.metadata }
      trees.putLocal({ ...local, state: { ...local.state, metadata } })
    }
    trees.putSynced(known.id, synced)
  })
  return trees.triple(known.id)
}
