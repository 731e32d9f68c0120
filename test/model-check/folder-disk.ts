/**
 * A workspace of empty folders: enough for edits that exist on disk, survive the loss of the state folder and need no
 * content. Whatever the checked scenarios have no use for fails loudly.
 */
import type { DiskStamp, FilePath } from '../../src/model/file-state.ts'
import type { ScanEntry, StepResult, Workspace } from '../../src/workspace/workspace.ts'

export interface FolderDisk {
  readonly workspace: Workspace
  /** Sorted. */
  folders(): readonly FilePath[]
}

const stamp: DiskStamp = { size: 0, mtimeMs: 1, ctimeMs: 1, inode: 1, birthtimeMs: 1 }

export function createFolderDisk(initial: readonly FilePath[], onChange: () => void): FolderDisk {
  const folders = new Set(initial)
  const sorted = () => [...folders].sort()
  const entry = (path: FilePath): ScanEntry => ({
    kind: 'folder',
    path,
    stamp: { ...stamp, inode: inodeOf(path) },
  })
  const done = (path: FilePath): StepResult => ({
    kind: 'done',
    stamp: { ...stamp, inode: inodeOf(path) },
    racy: false,
    mtimeUs: 0,
  })
  const refuse = (what: string) => (): never => {
    throw new Error(`the model has no ${what}`)
  }
  const workspace: Workspace = {
    root: '/workspace',
    rootState: async () => ({ kind: 'present' }),
    renewMarker: async () => {},
    async *scan({ under }) {
      const entries = sorted().filter(
        (path) => under === '' || path === under || path.startsWith(`${under}/`),
      )
      yield { entries: entries.map(entry), problems: [] }
    },
    isIgnored: () => false,
    look: async (path) => (folders.has(path) ? entry(path) : null),
    hash: refuse('contents'),
    source: refuse('contents'),
    stage: refuse('contents'),
    place: refuse('contents'),
    park: refuse('parking'),
    unpark: refuse('parking'),
    move: refuse('moves'),
    remove: refuse('files'),
    setAttributes: refuse('attributes'),
    parked: async () => [],
    makeDurable: async () => {},
    async makeFolder(path) {
      if (!folders.has(path)) {
        folders.add(path)
        onChange()
      }
      return done(path)
    },
    async removeFolder(path) {
      if (folders.delete(path)) onChange()
    },
    removeEmptyParents: async () => {},
    watch: refuse('watching'),
    cleanUp: async () => {},
    close: async () => {},
  }
  return { workspace, folders: sorted }
}

function inodeOf(path: FilePath): number {
  let sum = 7
  for (const char of path) sum = (sum * 31 + char.charCodeAt(0)) % 1_000_003
  return sum
}
