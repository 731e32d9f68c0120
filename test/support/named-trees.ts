/** Three whole trees as plain objects, and the questions that settling paths asks of them. */
import type { FileId, FileState } from '../../src/model/file-state.ts'
import { ancestorsOf, isAtOrBelow } from '../../src/model/path.ts'
import { foldPath } from '../../src/reconcile/portable-path.ts'
import type { PathWorld } from '../../src/reconcile/settle-paths.ts'

export interface NamedTrees {
  readonly local: Readonly<Record<FileId, FileState>>
  readonly synced: Readonly<Record<FileId, FileState>>
  readonly remote: Readonly<Record<FileId, FileState>>
}

export function worldOf(trees: NamedTrees): PathWorld {
  const entries = (tree: 'local' | 'remote') => Object.entries(trees[tree])
  const all = [trees.local, trees.synced, trees.remote].flatMap((tree) => Object.values(tree))
  const taken = new Set(all.flatMap(({ path }) => [path, ...ancestorsOf(path)]).map(foldPath))
  return {
    at(tree, path) {
      const found = entries(tree).find(([, state]) => state.path === path)
      return found === undefined ? null : { id: found[0], kind: found[1].kind }
    },
    below(tree, folder) {
      return entries(tree).flatMap(([id, { path }]) =>
        path !== folder && isAtOrBelow(path, folder) ? [{ id, path }] : [],
      )
    },
    isFoldedTaken: (path) => taken.has(foldPath(path)),
  }
}
