/**
 * The simulated file system itself: paths, names and the calls on them, as POSIX has them. Knows no processes but their
 * descriptors, and no time but the one that it is handed.
 */
import { constants } from 'node:fs'
import type { FileStats, FolderEntry } from '../../src/workspace/file-calls.ts'
import { Journal, type WriteBack } from './disk-journal.ts'
import {
  blockBytes,
  DiskNode,
  type Entry,
  ListedEntry,
  type NodeKind,
  NodeStats,
  ownGid,
  ownUid,
} from './disk-node.ts'

export interface DiskTreeOptions {
  readonly now: () => number
  readonly granularityMs: number
  readonly capacityBytes: number
  readonly caseInsensitive: boolean
  readonly normalisesNames: boolean
  readonly windowsNames: boolean
  readonly hardLinks: boolean
  readonly devices: readonly string[]
  readonly writeBack: WriteBack
  readonly settleMs: number
}

export interface Descriptor {
  readonly node: DiskNode
  readonly flags: number
  position: number
}

export type Descriptors = Map<number, Descriptor>

/** Where the last name of a path leads. Without `name`: the path ends in a folder as such (`/`, `..`). */
interface Spot {
  readonly folder: DiskNode
  readonly name: string
  readonly key: string
  readonly node: DiskNode | undefined
}

export const descriptorFolder = '/proc/self/fd'
const descriptorPrefix = `${descriptorFolder}/`
const nameBytesMax = 255
const pathBytesMax = 4_095
const linksMax = 40
const umask = 0o022
const { O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_NOFOLLOW, O_DIRECTORY } = constants
const accessBits = 3
const windowsReserved = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?$/i
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what Windows refuses.
const windowsForbidden = /[\x00-\x1f<>:"|?*\\]|[. ]$/
const none: Descriptors = new Map()

export class DiskTree {
  readonly journal: Journal
  capacityBytes: number
  usedBytes = 0
  /** Set while a person acts, whom no mode bits stop. */
  isPrivileged = false
  root: DiskNode
  private readonly options: DiskTreeOptions
  private lastIno = 1
  private lastMs = Number.NEGATIVE_INFINITY

  constructor(options: DiskTreeOptions) {
    this.options = options
    this.capacityBytes = options.capacityBytes
    this.journal = new Journal({ ...options, put: (folder, key, entry) => this.put(folder, key, entry) })
    this.root = this.newNode('folder', 0o755, 1)
    this.root.nlink = 1
    options.devices.forEach((path, index) => {
      const folder = this.makeFolders(path, 0o755)
      const { parent, key, name } = folder
      if (parent === null) throw new Error('the root is the first device already')
      this.put(parent, key, { name, node: this.newNode('folder', 0o755, index + 2) })
    })
    this.journal.settleAll()
  }

  // Times and names

  private time(): number {
    const { granularityMs, now } = this.options
    const at = now()
    if (granularityMs > 0) return Math.floor(at / granularityMs) * granularityMs
    // As fine as it gets: no two instants are the same, unless the clock was set back.
    this.lastMs = at > this.lastMs || at < this.lastMs - 1_000 ? at : this.lastMs + 0.001
    return this.lastMs
  }

  private keyOf(name: string): string {
    const { caseInsensitive, normalisesNames } = this.options
    const spelled = normalisesNames ? name.normalize('NFD') : name
    return caseInsensitive ? spelled.toLowerCase() : spelled
  }

  /** Throws where the folder cannot have the name. */
  private assertName(call: string, path: string, name: string, folder: DiskNode): void {
    if (folder.nlink === 0) throw failure('ENOENT', call, path)
    if (name.length * 3 > nameBytesMax && Buffer.byteLength(name) > nameBytesMax)
      throw failure('ENAMETOOLONG', call, path)
    if (this.options.windowsNames && (windowsForbidden.test(name) || windowsReserved.test(name)))
      throw failure('EINVAL', call, path)
  }

  private newNode(kind: NodeKind, mode: number, device: number): DiskNode {
    return new DiskNode({ ino: this.lastIno++, device, kind, mode, atMs: this.time() })
  }

  /** Names, counts and parents, without a word to the journal. */
  private put(folder: DiskNode, key: string, entry: Entry | undefined): void {
    const before = folder.entries?.get(key)
    if (before !== undefined) {
      before.node.nlink--
      this.account(before.node, -1)
      if (before.node.parent === folder && before.node.key === key) before.node.parent = null
    }
    if (entry === undefined) {
      folder.entries?.delete(key)
      return
    }
    this.account(entry.node, 1)
    entry.node.nlink++
    folder.entries?.set(key, entry)
    if (entry.node.isFolder) {
      entry.node.parent = folder
      entry.node.key = key
      entry.node.name = entry.name
    }
  }

  /** Called after the last name was taken, or before the first is given. */
  private account(node: DiskNode, sign: 1 | -1): void {
    if (!node.isLive) this.usedBytes += sign * node.usedBytes
  }

  private touchFolder(folder: DiskNode): void {
    folder.mtimeMs = this.time()
    folder.ctimeMs = folder.mtimeMs
  }

  // Paths

  private locate(
    call: string,
    path: string,
    how: { readonly follow: boolean; readonly descriptors: Descriptors },
  ): Spot {
    let parts: string[]
    let here = this.root
    if (path.startsWith(descriptorPrefix)) {
      parts = path.slice(descriptorPrefix.length).split('/')
      const open = how.descriptors.get(Number(parts[0]))
      if (open === undefined) throw failure('ENOENT', call, path)
      here = open.node
      parts.shift()
    } else {
      if (!path.startsWith('/')) throw new Error(`the simulated disk takes absolute paths only: '${path}'`)
      if (path.length * 3 > pathBytesMax && Buffer.byteLength(path) > pathBytesMax)
        throw failure('ENAMETOOLONG', call, path)
      parts = path.split('/')
    }
    for (let index = 0, links = 0; ; index++) {
      const part = parts[index]
      if (part === undefined) return { folder: here, name: '', key: '', node: here }
      if (part === '' || part === '.') continue
      if (!here.isFolder) throw failure('ENOTDIR', call, path)
      if (!this.isPrivileged && (here.mode & 0o100) === 0) throw failure('EACCES', call, path)
      if (part === '..') {
        here = here.parent ?? here
        continue
      }
      const isLast = index === parts.length - 1
      const key = this.keyOf(part)
      const node = here.entries?.get(key)?.node
      if (node !== undefined && node.kind === 'link' && (!isLast || how.follow)) {
        if (++links > linksMax) throw failure('ELOOP', call, path)
        parts = [...node.target.split('/'), ...parts.slice(index + 1)]
        if (node.target.startsWith('/')) here = this.root
        index = -1
        continue
      }
      if (isLast) {
        if (node === undefined) this.assertName(call, path, part, here)
        return { folder: here, name: part, key, node }
      }
      if (node === undefined) {
        this.assertName(call, path, part, here)
        throw failure('ENOENT', call, path)
      }
      here = node
    }
  }

  private existing(
    call: string,
    path: string,
    descriptors: Descriptors,
    follow = false,
  ): Spot & { readonly node: DiskNode } {
    const spot = this.locate(call, path, { follow, descriptors })
    if (spot.node === undefined) throw failure('ENOENT', call, path)
    return spot as Spot & { readonly node: DiskNode }
  }

  private assertMayChange(call: string, path: string, folder: DiskNode): void {
    if (folder.nlink === 0) throw failure('ENOENT', call, path)
    if (!this.isPrivileged && (folder.mode & 0o300) !== 0o300) throw failure('EACCES', call, path)
  }

  private add(call: string, path: string, spot: Spot, node: DiskNode): void {
    this.assertMayChange(call, path, spot.folder)
    if (node.nlink === 0 && node.usedBytes > this.freeBytes) throw failure('ENOSPC', call, path)
    const name = this.options.normalisesNames ? spot.name.normalize('NFD') : spot.name
    this.journal.change(
      [
        {
          folder: spot.folder,
          key: spot.key,
          before: spot.folder.entries?.get(spot.key),
          after: { name, node },
        },
      ],
      node.isFolder ? { made: node } : {},
    )
    this.touchFolder(spot.folder)
  }

  get freeBytes(): number {
    return Math.max(0, this.capacityBytes - this.usedBytes)
  }

  /** The path of a folder as it stands, or of what is left of it. */
  pathOf(folder: DiskNode): string {
    let path = ''
    for (let here = folder; here !== this.root; ) {
      path = `/${here.name}${path}`
      if (here.parent === null) return `${path} (deleted)`
      here = here.parent
    }
    return path === '' ? '/' : path
  }

  // Calls

  open(path: string, flags: number, mode: number, descriptors: Descriptors): Descriptor {
    const creates = (flags & O_CREAT) !== 0
    const isExclusive = creates && (flags & O_EXCL) !== 0
    const follow = (flags & O_NOFOLLOW) === 0 && !isExclusive
    const spot = this.locate('open', path, { follow, descriptors })
    const access = flags & accessBits
    const writes = access === O_WRONLY || access === O_RDWR
    let { node } = spot
    if (node === undefined) {
      if (!creates) throw failure('ENOENT', 'open', path)
      node = this.newNode('file', mode & ~umask & 0o7777, spot.folder.device)
      this.add('open', path, spot, node)
      this.journal.touch(node)
    } else {
      if (isExclusive) throw failure('EEXIST', 'open', path)
      if ((flags & O_DIRECTORY) !== 0 && !node.isFolder) throw failure('ENOTDIR', 'open', path)
      if (node.kind === 'link') throw failure('ELOOP', 'open', path)
      if (node.isFolder && (writes || creates)) throw failure('EISDIR', 'open', path)
      const needed = (access === O_WRONLY ? 0 : 0o400) | (writes ? 0o200 : 0)
      if (!this.isPrivileged && (node.mode & needed) !== needed) throw failure('EACCES', 'open', path)
      if ((flags & O_TRUNC) !== 0 && writes) this.truncate(node, 0)
    }
    node.opens++
    return { node, flags, position: 0 }
  }

  close({ node }: Descriptor): void {
    node.opens--
    this.account(node, -1)
  }

  stat(path: string, descriptors: Descriptors): FileStats {
    return new NodeStats(this.existing('lstat', path, descriptors).node)
  }

  read(
    open: Descriptor,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number | null,
  ): number {
    const { node } = open
    if (node.isFolder) throw failure('EISDIR', 'read', null)
    if ((open.flags & accessBits) === O_WRONLY) throw failure('EBADF', 'read', null)
    const from = position ?? open.position
    const bytes = Math.max(0, Math.min(length, node.size - from))
    if (bytes > 0) buffer.set(node.bytes.subarray(from, from + bytes), offset)
    if (position === null) open.position = from + bytes
    return bytes
  }

  write(open: Descriptor, bytes: Uint8Array, offset: number, length: number, position: number): number {
    if ((open.flags & accessBits) === 0) throw failure('EBADF', 'write', null)
    return this.writeTo(open.node, bytes.subarray(offset, offset + length), position)
  }

  writeTo(node: DiskNode, bytes: Uint8Array, position: number): number {
    const room = Math.max(node.size, node.usedBytes + this.freeBytes) - position
    const count = Math.min(bytes.length, room)
    if (count <= 0 && bytes.length > 0) throw failure('ENOSPC', 'write', null)
    const size = Math.max(node.size, position + count)
    const used = node.usedBytes
    const target = node.writable(size)
    // What lies between an old end and the position was cut off perhaps, and is zeros.
    if (position > node.size) target.fill(0, node.size, position)
    target.set(count === bytes.length ? bytes : bytes.subarray(0, count), position)
    node.size = size
    this.usedBytes += node.usedBytes - used
    this.changedContent(node)
    return count
  }

  ftruncate({ node, flags }: Descriptor, size: number): void {
    if (node.isFolder || (flags & accessBits) === 0) throw failure('EINVAL', 'ftruncate', null)
    this.truncate(node, size)
  }

  private truncate(node: DiskNode, size: number): void {
    const used = node.usedBytes
    if (size > node.size) node.writable(size).fill(0, node.size, size)
    if (size === 0) node.wasCut = true
    node.size = size
    this.usedBytes += node.usedBytes - used
    this.changedContent(node)
  }

  /** All of it, without a copy: nobody writes to `bytes` afterwards. */
  replaceContent(node: DiskNode, bytes: Uint8Array): void {
    const used = node.usedBytes
    const needed = Math.ceil(bytes.length / blockBytes) * blockBytes
    if (needed - used > this.freeBytes) throw failure('ENOSPC', 'write', null)
    node.bytes = bytes
    node.isShared = true
    node.wasCut = true
    node.size = bytes.length
    if (node.isLive) this.usedBytes += node.usedBytes - used
    this.changedContent(node)
  }

  private changedContent(node: DiskNode): void {
    node.mtimeMs = this.time()
    node.ctimeMs = node.mtimeMs
    this.journal.touch(node)
  }

  chmod(node: DiskNode, mode: number): void {
    node.mode = mode & 0o7777
    this.changedAttributes(node)
  }

  chown(node: DiskNode, uid: number, gid: number): void {
    if (!this.isPrivileged && (uid !== ownUid || gid !== ownGid)) throw failure('EPERM', 'fchown', null)
    node.uid = uid
    node.gid = gid
    this.changedAttributes(node)
  }

  /** In seconds, of which microseconds are kept, as Node does. */
  setTime(node: DiskNode, mtime: number): void {
    if (!Number.isFinite(mtime)) throw failure('EINVAL', 'futime', null)
    const { granularityMs } = this.options
    const ms = Math.floor(mtime * 1e6) / 1e3
    node.mtimeMs = granularityMs > 0 ? Math.floor(ms / granularityMs) * granularityMs : ms
    this.changedAttributes(node)
  }

  private changedAttributes(node: DiskNode): void {
    node.ctimeMs = this.time()
    if (node.kind === 'file') this.journal.touch(node)
  }

  link(from: string, to: string, descriptors: Descriptors): void {
    const { node } = this.existing('link', from, descriptors)
    const spot = this.locate('link', to, { follow: false, descriptors })
    if (spot.node !== undefined) throw failure('EEXIST', 'link', to)
    if (node.isFolder || !this.options.hardLinks) throw failure('EPERM', 'link', from)
    if (node.device !== spot.folder.device) throw failure('EXDEV', 'link', to)
    if (!node.isLive) throw failure('ENOENT', 'link', from)
    this.add('link', to, spot, node)
    node.ctimeMs = this.time()
  }

  symlink(target: string, path: string): void {
    const spot = this.locate('symlink', path, { follow: false, descriptors: none })
    if (spot.node !== undefined) throw failure('EEXIST', 'symlink', path)
    const node = this.newNode('link', 0o777, spot.folder.device)
    node.target = target
    this.add('symlink', path, spot, node)
  }

  rename(from: string, to: string, descriptors: Descriptors): void {
    const source = this.existing('rename', from, descriptors)
    const target = this.locate('rename', to, { follow: false, descriptors })
    const { node } = source
    if (source.name === '' || target.name === '') throw failure('EBUSY', 'rename', from)
    this.assertMayChange('rename', from, source.folder)
    this.assertMayChange('rename', to, target.folder)
    if (source.folder.device !== target.folder.device) throw failure('EXDEV', 'rename', to)
    if (node.device !== source.folder.device) throw failure('EBUSY', 'rename', from)
    const isSameName = source.folder === target.folder && source.key === target.key
    const name = this.options.normalisesNames ? target.name.normalize('NFD') : target.name
    // Two names of one file: nothing happens. One name in another spelling takes that.
    if (target.node === node && !isSameName) return
    if (node.isFolder)
      for (let above: DiskNode | null = target.folder; above !== null; above = above.parent)
        if (above === node) throw failure('EINVAL', 'rename', to)
    const replaced = isSameName ? undefined : target.node
    if (replaced !== undefined) {
      if (node.isFolder && !replaced.isFolder) throw failure('ENOTDIR', 'rename', to)
      if (!node.isFolder && replaced.isFolder) throw failure('EISDIR', 'rename', to)
      if (replaced.entries !== null && replaced.entries.size > 0) throw failure('ENOTEMPTY', 'rename', to)
    }
    const before = source.folder.entries?.get(source.key)
    const arriving = { folder: target.folder, key: target.key, after: { name, node } }
    this.journal.change(
      isSameName
        ? [{ ...arriving, before }]
        : [
            { folder: source.folder, key: source.key, before, after: undefined },
            { ...arriving, before: target.folder.entries?.get(target.key) },
          ],
      {
        isFolderMove: node.isFolder,
        ...(replaced?.isFolder === true ? { gone: replaced } : {}),
      },
    )
    node.ctimeMs = this.time()
    if (replaced !== undefined) replaced.ctimeMs = this.time()
    this.touchFolder(source.folder)
    this.touchFolder(target.folder)
  }

  unlink(path: string, descriptors: Descriptors): void {
    const { folder, key, name, node } = this.existing('unlink', path, descriptors)
    if (node.isFolder || name === '') throw failure('EISDIR', 'unlink', path)
    this.assertMayChange('unlink', path, folder)
    this.journal.change([{ folder, key, before: folder.entries?.get(key), after: undefined }])
    node.ctimeMs = this.time()
    this.touchFolder(folder)
  }

  rmdir(path: string, descriptors: Descriptors): void {
    const { folder, key, name, node } = this.existing('rmdir', path, descriptors)
    if (node.entries === null) throw failure('ENOTDIR', 'rmdir', path)
    if (name === '' || node.device !== folder.device) throw failure('EBUSY', 'rmdir', path)
    this.assertMayChange('rmdir', path, folder)
    if (node.entries.size > 0) throw failure('ENOTEMPTY', 'rmdir', path)
    this.journal.change([{ folder, key, before: folder.entries?.get(key), after: undefined }], { gone: node })
    this.touchFolder(folder)
  }

  mkdir(path: string, mode: number, descriptors: Descriptors): void {
    const spot = this.locate('mkdir', path, { follow: false, descriptors })
    if (spot.node !== undefined) throw failure('EEXIST', 'mkdir', path)
    this.add('mkdir', path, spot, this.newNode('folder', mode & ~umask & 0o7777, spot.folder.device))
  }

  /** With the folders above it; what stands already is fine if it is a folder. */
  makeFolders(path: string, mode: number, descriptors: Descriptors = none): DiskNode {
    const spot = this.locateOrNull(path, descriptors)
    if (spot?.node !== undefined) {
      if (!spot.node.isFolder) throw failure('EEXIST', 'mkdir', path)
      return spot.node
    }
    // A link that leads nowhere.
    if (spot !== null && this.kindAt(path, descriptors) !== null) throw failure('ENOENT', 'mkdir', path)
    if (spot === null) this.makeFolders(path.slice(0, path.lastIndexOf('/')) || '/', mode, descriptors)
    this.mkdir(path, mode, descriptors)
    return this.existing('mkdir', path, descriptors).node
  }

  private locateOrNull(path: string, descriptors: Descriptors): Spot | null {
    try {
      return this.locate('mkdir', path, { follow: true, descriptors })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw error
    }
  }

  names(path: string, descriptors: Descriptors): string[] {
    return Array.from(this.listed(path, descriptors), ({ name }) => name)
  }
  entries(path: string, descriptors: Descriptors): FolderEntry[] {
    return Array.from(this.listed(path, descriptors), (entry) => new ListedEntry(entry))
  }

  private listed(path: string, descriptors: Descriptors): Iterable<Entry> {
    const { node } = this.existing('scandir', path, descriptors, true)
    if (node.entries === null) throw failure('ENOTDIR', 'scandir', path)
    if (!this.isPrivileged && (node.mode & 0o400) === 0) throw failure('EACCES', 'scandir', path)
    return node.entries.values()
  }

  readlink(path: string, descriptors: Descriptors): string {
    if (path.startsWith(descriptorPrefix) && !path.includes('/', descriptorPrefix.length)) {
      const open = descriptors.get(Number(path.slice(descriptorPrefix.length)))
      if (open === undefined) throw failure('ENOENT', 'readlink', path)
      const found = this.pathOf(open.node)
      if (Buffer.byteLength(found) > pathBytesMax) throw failure('ENAMETOOLONG', 'readlink', path)
      return found
    }
    const { node } = this.existing('readlink', path, descriptors)
    if (node.kind !== 'link') throw failure('EINVAL', 'readlink', path)
    return node.target
  }

  /** In the spelling that was asked for, as Node has it. */
  realpath(path: string, descriptors: Descriptors): string {
    let parts = path.split('/')
    let found = ''
    for (let index = 0, links = 0; index < parts.length; index++) {
      const part = parts[index]
      if (part === undefined || part === '' || part === '.') continue
      if (part === '..') {
        found = found.slice(0, Math.max(0, found.lastIndexOf('/')))
        continue
      }
      const { node } = this.existing('realpath', `${found}/${part}`, descriptors)
      if (node.kind !== 'link') {
        found = `${found}/${part}`
        continue
      }
      if (++links > linksMax) throw failure('ELOOP', 'realpath', path)
      parts = [...node.target.split('/'), ...parts.slice(index + 1)]
      if (node.target.startsWith('/')) found = ''
      index = -1
    }
    return found === '' ? '/' : found
  }

  statfs(path: string, descriptors: Descriptors): { bavail: number; bsize: number } {
    this.existing('statfs', path, descriptors, true)
    return { bavail: Math.floor(this.freeBytes / blockBytes), bsize: blockBytes }
  }

  fsync(node: DiskNode): void {
    if (node.isFolder) this.journal.settleFolder(node)
    else this.journal.settleData(node)
  }

  /** What a name stands for; `null`: nothing. */
  kindAt(path: string, descriptors: Descriptors): NodeKind | null {
    try {
      return this.existing('lstat', path, descriptors).node.kind
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw error
    }
  }

  // For people

  /** What a path leads to, links not followed; `null`: nothing. */
  nodeAt(path: string): DiskNode | null {
    try {
      return this.existing('lstat', path, none).node
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null
      throw error
    }
  }

  /** A new file under the name, which takes the place of what has it, as a program does that saves by renaming. */
  replaceFile(path: string, bytes: Uint8Array, mode: number): DiskNode {
    const spot = this.locate('open', path, { follow: true, descriptors: none })
    if (spot.node?.isFolder === true || spot.name === '') throw failure('EISDIR', 'open', path)
    const node = this.newNode('file', spot.node?.mode ?? mode, spot.folder.device)
    this.replaceContent(node, bytes)
    this.add('open', path, spot, node)
    return node
  }

  /** A tree of its own, which shares nothing but bytes that nobody writes to. No descriptor is open in it. */
  clone(): DiskTree {
    const copy = new DiskTree({ ...this.options, devices: [] })
    const copies = new Map<DiskNode, DiskNode>()
    const copyOf = (node: DiskNode): DiskNode => {
      const known = copies.get(node)
      if (known !== undefined) return known
      const made = node.copy()
      copies.set(node, made)
      if (made.entries !== null && node.entries !== null)
        for (const [key, entry] of node.entries)
          made.entries.set(key, { name: entry.name, node: copyOf(entry.node) })
      if (node.parent !== null) made.parent = copyOf(node.parent)
      return made
    }
    copy.root = copyOf(this.root)
    this.journal.copyTo(copy.journal, copyOf)
    copy.capacityBytes = this.capacityBytes
    copy.lastIno = this.lastIno
    copy.lastMs = this.lastMs
    copy.usedBytes = 0
    for (const node of copies.values())
      if (node !== copy.root && node.isLive) copy.usedBytes += node.usedBytes
    return copy
  }

  /** Brings a path and what is above it to the disk. */
  settlePath(path: string): void {
    const { folder, key, node } = this.locate('fsync', path, { follow: false, descriptors: none })
    this.journal.settleName(folder, key)
    if (node?.kind === 'file') this.journal.settleData(node)
  }
}

/** As Node's: with a code, but without a stack, which takes longer than the call. */
export function failure(code: string, call: string, path: string | null): NodeJS.ErrnoException {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  const error: NodeJS.ErrnoException = new Error(
    path === null ? `${code}: ${call}` : `${code}: ${call} '${path}'`,
  )
  Error.stackTraceLimit = limit
  error.code = code
  error.syscall = call
  if (path !== null) error.path = path
  return error
}
