/**
 * The one pass over a batch of decisions after each file was decided by itself: no two at one path, no file where a
 * folder is needed, names of copies free. Pure, and independent of the order of the batch.
 */
import type { FileId, FileKind, FilePath } from '../model/file-state.ts'
import { ancestorsOf, comparePaths } from '../model/path.ts'
import { type AsideOptions, asidePath, numberedPath } from './aside-name.ts'
import type { Decision, RuleId } from './decision.ts'
import { foldPath } from './portable-path.ts'

/** The trees as they are now, before the batch. Asked only about paths at which a file does not stand yet. */
export interface PathWorld {
  /** The live entry at exactly this path. */
  at(tree: 'local' | 'remote', path: FilePath): { readonly id: FileId; readonly kind: FileKind } | null
  /** Live entries below a folder, in any order. Read only as far as needed. */
  below(
    tree: 'local' | 'remote',
    folder: FilePath,
  ): Iterable<{ readonly id: FileId; readonly path: FilePath }>
  /**
   * Whether in any of the three trees an entry, or a folder with entries, has this path or one that `foldPath` makes
   * equal to it.
   */
  isFoldedTaken(path: FilePath): boolean
}

export interface SettledPaths {
  /** In the order of the input. */
  readonly decisions: readonly Decision[]
  /**
   * Decisions that must not be acted on yet: at, above or below their path stand files that are not in the batch.
   * Decide `by` in the same batch and settle again, or leave `id` for a later one.
   */
  readonly blocked: readonly { readonly id: FileId; readonly by: readonly FileId[] }[]
}

/** Blockers named below one path in one tree; the rest shows when these are in the batch. */
const blockersMax = 1_000
/** Numbers tried for a name before the file's id makes it unique. */
const attemptsMax = 1_000

/** No decision may still need a merge, and each id occurs once. */
export function settlePaths(input: {
  readonly decisions: readonly Decision[]
  readonly world: PathWorld
  readonly instance: { readonly name: string }
  /** ISO 8601, UTC. */
  readonly now: string
}): SettledPaths {
  const batch = new Batch(input.decisions, input.world)
  const blockers = new Map<FileId, Set<FileId>>()
  const aside = new Map<FileId, RuleId>()
  for (const group of batch.groups()) {
    for (const target of group) blockers.set(target.id, new Set(undecidedAround(batch, target)))
    for (const [claim, target] of group.entries()) {
      if (claim > 0) aside.set(target.id, 'R16-path-taken')
      else if (target.kind === 'file' && batch.isFolder(target.path))
        aside.set(target.id, 'R15-renamed-aside')
    }
  }

  const names = new FreeNames(batch, input)
  const renamed = new Map<FileId, FilePath>()
  for (const { id, path } of batch.targets()) if (aside.has(id)) renamed.set(id, names.aside(path, id))
  const copies = new Map<FileId, FilePath>()
  for (const { id, copy } of [...input.decisions].sort((left, right) => comparePaths(left.id, right.id))) {
    if (copy !== null) copies.set(id, names.numbered(copy.path, id))
  }

  const decisions = input.decisions.map((decision) => {
    const path = renamed.get(decision.id)
    const moved = path === undefined ? decision : renameTo(decision, path, aside.get(decision.id))
    const copy = copies.get(decision.id)
    if (copy === undefined || moved.copy === null) return moved
    return { ...moved, copy: { path: copy, state: { ...moved.copy.state, path: copy } } }
  })
  const blocked = [...blockers]
    .filter(([, by]) => by.size > 0)
    .map(([id, by]) => ({ id, by: [...by].sort(comparePaths) }))
    .sort((left, right) => comparePaths(left.id, right.id))
  return { decisions, blocked }
}

interface Target {
  readonly id: FileId
  readonly path: FilePath
  readonly kind: FileKind
}

/** Where the files of the batch shall stand. */
class Batch {
  readonly world: PathWorld
  private readonly ids: ReadonlySet<FileId>
  /** Path → targets, the one that keeps the path first. */
  private readonly byPath = new Map<FilePath, Target[]>()
  /** Folders that targets of the batch need. */
  private readonly folders = new Set<FilePath>()
  /** What `filesAbove` found: most files of a batch share their folders. */
  private readonly above = new Map<string, FileId | null>()

  constructor(decisions: readonly Decision[], world: PathWorld) {
    this.world = world
    this.ids = new Set(decisions.map(({ id }) => id))
    for (const { id, local, remote } of decisions) {
      const state = remote ?? local
      if (state === null) continue
      const target = { id, path: state.path, kind: state.kind }
      this.byPath.set(state.path, [...(this.byPath.get(state.path) ?? []), target])
      for (const folder of ancestorsOf(state.path)) this.folders.add(folder)
    }
    for (const [path, targets] of this.byPath) {
      if (targets.length < 2) continue
      // The committed file keeps its path; then the one that stands there on disk.
      const [committed, present] = [world.at('remote', path)?.id, world.at('local', path)?.id]
      const rank = ({ id }: Target) => (id === committed ? 0 : id === present ? 1 : 2)
      targets.sort((left, right) => rank(left) - rank(right) || comparePaths(left.id, right.id))
    }
  }

  has(id: FileId): boolean {
    return this.ids.has(id)
  }

  groups(): Iterable<readonly Target[]> {
    return this.byPath.values()
  }

  /** Ascending by path, then in the order of their claim. */
  targets(): Target[] {
    const paths = [...this.byPath.keys()].sort(comparePaths)
    return paths.flatMap((path) => this.byPath.get(path) ?? [])
  }

  paths(): Iterable<FilePath> {
    return [...this.byPath.keys(), ...this.folders]
  }

  /** Whether something of the batch will be below the path. */
  isFolder(path: FilePath): boolean {
    return this.folders.has(path)
  }

  /** Files of a tree, outside the batch, that stand where a folder is needed for the path. */
  filesAbove(tree: 'local' | 'remote', path: FilePath): FileId[] {
    return ancestorsOf(path).flatMap((folder) => {
      const key = `${tree} ${folder}`
      let file = this.above.get(key)
      if (file === undefined) {
        const entry = this.world.at(tree, folder)
        file = entry?.kind === 'file' && !this.has(entry.id) ? entry.id : null
        this.above.set(key, file)
      }
      return file ?? []
    })
  }
}

/**
 * Files outside the batch that touch the path in a tree where the target does not stand yet. It stands there in the
 * other tree, which holds one thing at a path; so they differ between the trees, and what becomes of them is open.
 */
function* undecidedAround(batch: Batch, { id, path, kind }: Target): Generator<FileId> {
  const { world } = batch
  for (const tree of ['local', 'remote'] as const) {
    const standing = world.at(tree, path)
    if (standing?.id === id) continue
    if (standing !== null && !batch.has(standing.id)) yield standing.id
    yield* batch.filesAbove(tree, path)
    // A folder it is in any case: the file stands aside whatever becomes of the rest, of which there may be any number.
    if (kind === 'folder' || batch.isFolder(path)) continue
    let found = 0
    for (const below of world.below(tree, path)) {
      if (batch.has(below.id)) continue
      yield below.id
      if (++found >= blockersMax) break
    }
  }
}

/** Gives out names that are free in all trees and in the batch, on any disk, each once. */
class FreeNames {
  private readonly taken: Set<string>
  private readonly world: PathWorld
  private readonly options: AsideOptions

  constructor(batch: Batch, input: { readonly instance: { readonly name: string }; readonly now: string }) {
    this.taken = new Set([...batch.paths()].map(foldPath))
    this.world = batch.world
    this.options = { instance: input.instance.name, now: input.now }
  }

  aside(path: FilePath, id: FileId): FilePath {
    return this.first(
      (attempt) => asidePath(path, { ...this.options, attempt }),
      asidePath(path, { ...this.options, instance: id }),
    )
  }

  numbered(path: FilePath, id: FileId): FilePath {
    return this.first(
      (attempt) => numberedPath(path, attempt),
      asidePath(path, { ...this.options, instance: id }),
    )
  }

  private first(nameAt: (attempt: number) => FilePath, last: FilePath): FilePath {
    let name = last
    for (let attempt = 1; attempt <= attemptsMax; attempt++) {
      if (!this.isFree(nameAt(attempt))) continue
      name = nameAt(attempt)
      break
    }
    this.taken.add(foldPath(name))
    return name
  }

  private isFree(path: FilePath): boolean {
    return !this.taken.has(foldPath(path)) && !this.world.isFoldedTaken(path)
  }
}

function renameTo(decision: Decision, path: FilePath, rule: RuleId = 'R16-path-taken'): Decision {
  const { local, remote, synced } = decision
  const from = (remote ?? local)?.path ?? path
  const why = rule === 'R15-renamed-aside' ? 'a folder is needed there' : 'another file has that path'
  const detail = `It would stand at ${from}, but ${why}; it is kept beside it.`
  return {
    ...decision,
    rules: [...decision.rules.filter((other) => other !== 'R1-clean'), rule],
    local: local === null ? null : { ...local, path },
    remote: remote === null ? null : { ...remote, path },
    synced: synced === null ? null : { ...synced, path },
    notices: [...decision.notices, { rule, path, detail }],
  }
}
