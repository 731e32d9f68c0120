/** Whether a file that is new here is one that the chain knows. Asked before anything is decided or counted. */
import type { FileId, FileState, FileTriple } from '../model/file-state.ts'
import { breathe, type SyncContext } from './context.ts'
import { joiningKey } from './take-in.ts'

/**
 * ORDER: all of them before the deletions are counted and the first page is planned. A file that is back stands in
 * another row than the one that misses it until then, which alone would be taken for deleted.
 */
export async function identifyAll(context: SyncContext): Promise<void> {
  claimArrivals(context)
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
 * Files that an interrupted run had put into the workspace without coming to write it down. Taken for new ones they
 * would bring back what was deleted since, and clash with what was edited since.
 */
function claimArrivals(context: SyncContext): void {
  const { arriving, trees } = context.database
  const files = arriving.all()
  if (files.length === 0) return
  context.database.transaction(() => {
    for (const { id, path, hash } of files) {
      const row = trees.localAt(path)
      if (row === null || row.id === id || row.state.hash !== hash) continue
      const found = trees.triple(row.id)
      const known = trees.triple(id)
      const isUnclaimed = found.synced === null && found.remote === null && known.local === null
      if (isUnclaimed) rekey(context, found, known, row.state)
    }
    arriving.clear()
  })
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
