/** The calls of one process on the simulated disk. Dead, it has no effect any more, whatever it tries. */
import { constants } from 'node:fs'
import type { FileCalls } from '../../src/workspace/file-calls.ts'
import { NodeStats } from './disk-node.ts'
import { type Descriptor, type Descriptors, type DiskTree, descriptorFolder, failure } from './disk-tree.ts'

export interface DiskCall {
  readonly name: keyof FileCalls
  readonly args: readonly unknown[]
}

export interface ProcessHooks {
  /**
   * Called right before each call takes effect; of `copyFile` and `remove` before each of their steps. May act on the
   * disk, or kill the process. What it throws the call throws, without any effect.
   */
  before?(call: DiskCall): void
}

export interface DiskProcess {
  readonly calls: FileCalls
  readonly isAlive: boolean
  /**
   * As SIGKILL: what its completed calls did stays, its descriptors are closed. Every call afterwards, and each that
   * is under way, fails with `EKILLED` and has no effect.
   */
  kill(): void
}

const firstDescriptor = 3

export function createProcess(options: {
  readonly tree: DiskTree
  readonly hooks: ProcessHooks
  readonly hasDescriptorFolder: boolean
  readonly schedule: (work: () => void) => void
}): DiskProcess {
  const { tree, hooks, schedule } = options
  const descriptors: Descriptors = new Map()
  /** Open without a number. */
  const held = new Set<Descriptor>()
  let isAlive = true

  function enter(name: keyof FileCalls, args: readonly unknown[]): void {
    if (isAlive) hooks.before?.({ name, args })
    if (!isAlive) throw failure('EKILLED', name, null)
  }
  /** A call that takes effect when the schedule says so. */
  function later<T>(name: keyof FileCalls, args: readonly unknown[], act: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      schedule(() => {
        try {
          enter(name, args)
          resolve(act())
        } catch (error) {
          reject(error)
        }
      })
    })
  }
  function numbered(descriptor: Descriptor): number {
    let fd = firstDescriptor
    while (descriptors.has(fd)) fd++
    descriptors.set(fd, descriptor)
    return fd
  }
  function at(call: string, fd: number): Descriptor {
    const descriptor = descriptors.get(fd)
    if (descriptor === undefined) throw failure('EBADF', call, null)
    return descriptor
  }

  /** In two steps: a name without content, then the content. */
  async function copyFile(source: string, target: string): Promise<void> {
    const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL } = constants
    const [from, to] = await later('copyFile', [source, target], () => {
      const from = tree.open(source, O_RDONLY, 0, descriptors)
      held.add(from)
      if (from.node.isFolder) throw failure('EISDIR', 'copyfile', source)
      const to = tree.open(target, O_WRONLY | O_CREAT | O_EXCL, from.node.mode, descriptors)
      held.add(to)
      return [from, to]
    })
    await later('copyFile', [source, target], () => {
      tree.replaceContent(to.node, from.node.sharedContent())
      for (const descriptor of [from, to]) {
        held.delete(descriptor)
        tree.close(descriptor)
      }
    })
  }

  async function remove(path: string): Promise<void> {
    const names = await later('remove', [path], () => {
      const kind = tree.kindAt(path, descriptors)
      if (kind === 'folder') return tree.names(path, descriptors)
      if (kind !== null) tree.unlink(path, descriptors)
      return null
    })
    if (names === null) return
    for (const name of names) await remove(`${path}/${name}`)
    await later('remove', [path], () => tree.rmdir(path, descriptors))
  }

  const calls: FileCalls = {
    descriptorFolder: options.hasDescriptorFolder ? descriptorFolder : null,
    openSync(path, flags, mode = 0o666) {
      enter('openSync', [path, flags, mode])
      return numbered(tree.open(path, flags, mode, descriptors))
    },
    closeSync(fd) {
      enter('closeSync', [fd])
      tree.close(at('close', fd))
      descriptors.delete(fd)
    },
    fstatSync(fd) {
      enter('fstatSync', [fd])
      return new NodeStats(at('fstat', fd).node)
    },
    lstatSync(path) {
      enter('lstatSync', [path])
      return tree.stat(path, descriptors)
    },
    readSync(fd, buffer, offset, length, position) {
      enter('readSync', [fd, buffer, offset, length, position])
      return tree.read(at('read', fd), buffer, offset, length, position)
    },
    writeSync(fd, bytes, offset, length, position) {
      enter('writeSync', [fd, bytes, offset, length, position])
      return tree.write(at('write', fd), bytes, offset, length, position)
    },
    ftruncateSync(fd, length) {
      enter('ftruncateSync', [fd, length])
      tree.ftruncate(at('ftruncate', fd), length)
    },
    fchmodSync(fd, mode) {
      enter('fchmodSync', [fd, mode])
      tree.chmod(at('fchmod', fd).node, mode)
    },
    fchownSync(fd, uid, gid) {
      enter('fchownSync', [fd, uid, gid])
      tree.chown(at('fchown', fd).node, uid, gid)
    },
    futimesSync(fd, atime, mtime) {
      enter('futimesSync', [fd, atime, mtime])
      tree.setTime(at('futime', fd).node, mtime)
    },
    linkSync(from, to) {
      enter('linkSync', [from, to])
      tree.link(from, to, descriptors)
    },
    renameSync(from, to) {
      enter('renameSync', [from, to])
      tree.rename(from, to, descriptors)
    },
    unlinkSync(path) {
      enter('unlinkSync', [path])
      tree.unlink(path, descriptors)
    },
    mkdirSync(path, how = {}) {
      enter('mkdirSync', [path, how])
      if (how.recursive === true) tree.makeFolders(path, how.mode ?? 0o777, descriptors)
      else tree.mkdir(path, how.mode ?? 0o777, descriptors)
    },
    rmdirSync(path) {
      enter('rmdirSync', [path])
      tree.rmdir(path, descriptors)
    },
    readdirSync(path) {
      enter('readdirSync', [path])
      return tree.names(path, descriptors)
    },
    readEntriesSync(path) {
      enter('readEntriesSync', [path])
      return tree.entries(path, descriptors)
    },
    readNamesSync(path) {
      enter('readNamesSync', [path])
      return tree.names(path, descriptors).map((name) => Buffer.from(name))
    },
    readlinkSync(path) {
      enter('readlinkSync', [path])
      return tree.readlink(path, descriptors)
    },
    realpathSync(path) {
      enter('realpathSync', [path])
      return tree.realpath(path, descriptors)
    },
    statfsSync(path) {
      enter('statfsSync', [path])
      return tree.statfs(path, descriptors)
    },
    fsync: (fd) => later('fsync', [fd], () => tree.fsync(at('fsync', fd).node)),
    read: (fd, buffer, offset, length, position) =>
      later('read', [fd, buffer, offset, length, position], () =>
        tree.read(at('read', fd), buffer, offset, length, position),
      ),
    write: (fd, bytes, offset, length, position) =>
      later('write', [fd, bytes, offset, length, position], () =>
        tree.write(at('write', fd), bytes, offset, length, position),
      ),
    copyFile,
    readdir: (path) => later('readdir', [path], () => tree.names(path, descriptors)),
    remove,
  }

  return {
    calls,
    get isAlive() {
      return isAlive
    },
    kill() {
      if (!isAlive) return
      isAlive = false
      for (const descriptor of [...descriptors.values(), ...held]) tree.close(descriptor)
      descriptors.clear()
      held.clear()
    },
  }
}
