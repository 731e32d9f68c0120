/** What the simulated disk is made of: inodes, and the bytes of files, which are shared until somebody writes. */
import type { FileStats, FolderEntry } from '../../src/workspace/file-calls.ts'
import type { NameChange } from './disk-journal.ts'

export type NodeKind = 'file' | 'folder' | 'link'

/** A name in a folder, in the spelling in which it is stored. */
export interface Entry {
  readonly name: string
  readonly node: DiskNode
}

/** A file's bytes and attributes, as of its last fsync. */
export interface FileImage {
  readonly bytes: Uint8Array
  readonly size: number
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly mtimeMs: number
}

export const blockBytes = 4_096
const noBytes = new Uint8Array(0)

export class DiskNode {
  readonly ino: number
  readonly device: number
  readonly kind: NodeKind
  readonly birthtimeMs: number
  mode: number
  uid: number
  gid: number
  nlink = 0
  mtimeMs: number
  ctimeMs: number
  /** Descriptors that are open for it. */
  opens = 0

  /** Of a link. */
  target = ''

  /** Of a file: `size` of these count. Never written to while shared. */
  bytes: Uint8Array = noBytes
  size = 0
  isShared = true
  /** What an fsync has brought to the disk; `null`: nothing yet. */
  synced: FileImage | null = null
  /** Cut to nothing since, so that no old byte can come back. */
  wasCut = false
  /** When it was last changed, if it was changed since the last fsync. */
  dirtyAtMs: number | null = null

  /** Of a folder, by the folded name. */
  readonly entries: Map<string, Entry> | null
  parent: DiskNode | null = null
  /** Its name in `parent`, folded and as stored. */
  key = ''
  name = ''
  /** The last change of each name that is not yet known to be on the disk. */
  readonly pending: Map<string, NameChange> | null
  /** Its making did not survive. */
  isLost = false

  constructor(options: {
    readonly ino: number
    readonly device: number
    readonly kind: NodeKind
    readonly mode: number
    readonly atMs: number
  }) {
    this.ino = options.ino
    this.device = options.device
    this.kind = options.kind
    this.mode = options.mode
    this.uid = ownUid
    this.gid = ownGid
    this.mtimeMs = options.atMs
    this.ctimeMs = options.atMs
    this.birthtimeMs = options.atMs
    this.entries = options.kind === 'folder' ? new Map() : null
    this.pending = options.kind === 'folder' ? new Map() : null
  }

  get isFolder(): boolean {
    return this.entries !== null
  }
  /** Somebody can still get at it. */
  get isLive(): boolean {
    return this.nlink > 0 || this.opens > 0
  }
  get usedBytes(): number {
    return this.entries !== null ? blockBytes : Math.ceil(this.size / blockBytes) * blockBytes
  }

  /** The bytes, to be written to, with room for `size`. */
  writable(size: number): Uint8Array {
    if (this.bytes.length < size) {
      const grown = new Uint8Array(this.size === 0 ? size : Math.max(size, 2 * this.bytes.length))
      grown.set(this.content())
      this.bytes = grown
    } else if (this.isShared) this.bytes = this.bytes.slice()
    this.isShared = false
    return this.bytes
  }
  /** Not to be written to, nor kept over the next write. */
  private content(): Uint8Array {
    return this.bytes.length === this.size ? this.bytes : this.bytes.subarray(0, this.size)
  }
  /** Not to be written to, but to keep: the next write makes its own copy. */
  sharedContent(): Uint8Array {
    this.isShared = true
    return this.content()
  }
  /** To keep: the next write makes its own copy. */
  image(): FileImage {
    this.isShared = true
    const { bytes, size, mode, uid, gid, mtimeMs } = this
    return { bytes, size, mode, uid, gid, mtimeMs }
  }
  /** Without its content if it is a folder, and with no descriptor open. */
  copy(): DiskNode {
    const { ino, device, kind, mode, birthtimeMs } = this
    const copy = new DiskNode({ ino, device, kind, mode, atMs: birthtimeMs })
    this.isShared = true
    copy.bytes = this.bytes
    copy.size = this.size
    copy.synced = this.synced
    copy.wasCut = this.wasCut
    copy.dirtyAtMs = this.dirtyAtMs
    copy.uid = this.uid
    copy.gid = this.gid
    copy.nlink = this.nlink
    copy.mtimeMs = this.mtimeMs
    copy.ctimeMs = this.ctimeMs
    copy.target = this.target
    copy.key = this.key
    copy.name = this.name
    return copy
  }
  settleData(): void {
    this.synced = this.image()
    this.dirtyAtMs = null
    this.wasCut = false
  }
}

export const ownUid = 1_000
export const ownGid = 1_000

export class NodeStats implements FileStats {
  readonly dev: number
  readonly ino: number
  readonly mode: number
  readonly nlink: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  readonly mtimeMs: number
  readonly ctimeMs: number
  readonly birthtimeMs: number
  private readonly kind: NodeKind

  constructor(node: DiskNode) {
    this.dev = node.device
    this.ino = node.ino
    this.mode = node.mode | typeBits[node.kind]
    this.nlink = node.nlink
    this.uid = node.uid
    this.gid = node.gid
    this.size = sizeOf(node)
    this.mtimeMs = node.mtimeMs
    this.ctimeMs = node.ctimeMs
    this.birthtimeMs = node.birthtimeMs
    this.kind = node.kind
  }
  isFile(): boolean {
    return this.kind === 'file'
  }
  isDirectory(): boolean {
    return this.kind === 'folder'
  }
  isSymbolicLink(): boolean {
    return this.kind === 'link'
  }
}

function sizeOf(node: DiskNode): number {
  if (node.kind === 'link') return Buffer.byteLength(node.target)
  return node.kind === 'folder' ? blockBytes : node.size
}

const typeBits: Readonly<Record<NodeKind, number>> = { file: 0o100000, folder: 0o040000, link: 0o120000 }

export class ListedEntry implements FolderEntry {
  readonly name: string
  private readonly kind: NodeKind

  constructor(entry: Entry) {
    this.name = entry.name
    this.kind = entry.node.kind
  }
  isFile(): boolean {
    return this.kind === 'file'
  }
  isDirectory(): boolean {
    return this.kind === 'folder'
  }
  isSymbolicLink(): boolean {
    return this.kind === 'link'
  }
}
