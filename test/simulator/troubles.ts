/** What is wrong with a disk for a while: full, failing, unreadable in places, or not there at all. */
import type { Chance } from './chance.ts'
import type { DiskCall, SimulatedDisk } from './disk.ts'
import { failure } from './disk-tree.ts'
import { rootPath } from './instance.ts'

const awayPath = '/unmounted'
const endless = Number.MAX_SAFE_INTEGER

/** Calls that a failing disk fails. Names that are cached by the system are still found. */
const failing: ReadonlySet<string> = new Set([
  'openSync',
  'readSync',
  'read',
  'write',
  'fsync',
  'readdir',
  'readEntriesSync',
])

export class Troubles {
  /** Another folder stands where the workspace was. */
  isAway = false
  private readonly disk: SimulatedDisk
  private isFull = false
  private roomBytes = 0
  private broken: { left: number; readonly chance: Chance } | null = null
  /** Inode → mode to be given back. */
  private readonly unreadable = new Map<number, number>()

  constructor(disk: SimulatedDisk) {
    this.disk = disk
  }

  /** Nothing more than so much fits on it. */
  fill(roomBytes: number): void {
    this.isFull = true
    this.roomBytes = roomBytes
    this.disk.resize(endless - this.disk.freeBytes + this.roomBytes)
  }

  /** People clear up before they save: what they do always succeeds. */
  withRoom(act: () => void): void {
    if (this.isFull) this.disk.resize(endless)
    try {
      act()
    } finally {
      if (this.isFull) this.fill(this.roomBytes)
    }
  }

  /** Some of so many calls fail with EIO. */
  break(calls: number, chance: Chance): void {
    this.broken = { left: calls, chance }
  }

  /** Throws in the place of a call that fails. */
  before({ name, args }: DiskCall): void {
    if (this.broken === null || !failing.has(name)) return
    if (--this.broken.left <= 0) this.broken = null
    else if (this.broken.chance.happens(0.3))
      throw failure('EIO', name, typeof args[0] === 'string' ? args[0] : null)
  }

  /** Nobody but its owner in person may read what is there; answers how to undo that. */
  hide(path: string): void {
    const found = this.disk.user.look(path)
    if (found === null || found.kind === 'link' || this.unreadable.has(found.ino)) return
    this.unreadable.set(found.ino, found.mode & 0o777)
    this.disk.user.chmod(path, 0)
  }

  show(): void {
    const { user } = this.disk
    for (const { path, ino } of user.list(this.isAway ? awayPath : rootPath)) {
      const mode = this.unreadable.get(ino)
      if (mode !== undefined) user.chmod(path, mode)
    }
    this.unreadable.clear()
  }

  /** The disk of the workspace is not mounted: an empty folder stands there. */
  unmount(): void {
    if (this.isAway) return
    this.disk.user.rename(rootPath, awayPath)
    this.disk.user.makeFolder(rootPath)
    this.isAway = true
  }

  mount(): void {
    if (!this.isAway) return
    this.disk.user.remove(rootPath)
    this.disk.user.rename(awayPath, rootPath)
    this.isAway = false
  }

  free(): void {
    this.isFull = false
    this.disk.resize(endless)
  }

  end(): void {
    this.broken = null
    this.free()
    this.mount()
    this.show()
  }
}
