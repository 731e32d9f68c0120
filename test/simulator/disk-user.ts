/** People and other programs on the simulated disk. */
import { constants } from 'node:fs'
import type { DiskNode, NodeKind } from './disk-node.ts'
import { type Descriptors, type DiskTree, failure } from './disk-tree.ts'

export interface DiskEntry {
  readonly path: string
  readonly kind: NodeKind
  readonly ino: number
  readonly nlink: number
  readonly mode: number
  readonly size: number
  readonly mtimeMs: number
  readonly ctimeMs: number
}

/**
 * What people and other programs do: at once, whatever the mode bits, never failing by what a process's hook injects
 * (but with the system's errors: no such file, disk full). What they did survives every power cut, unless `durable` is
 * false. Bytes that are handed over, or out, are not to be changed afterwards.
 */
export interface DiskUser {
  /** Makes the folders above. A new file under the old name, as editors save; `inPlace`: into the file that is there. */
  write(
    path: string,
    bytes: Uint8Array | string,
    how?: {
      readonly inPlace?: boolean
      readonly mtimeMs?: number
      readonly mode?: number
      readonly durable?: boolean
    },
  ): void
  /** `null`: no file is there. Links are not followed. */
  read(path: string): Uint8Array | null
  readText(path: string): string | null
  rename(from: string, to: string, how?: { readonly durable?: boolean }): void
  /** Nothing there is fine. A folder goes with all that is in it. */
  remove(path: string, how?: { readonly durable?: boolean }): void
  makeFolder(path: string, how?: { readonly durable?: boolean }): void
  link(existing: string, path: string, how?: { readonly durable?: boolean }): void
  symlink(target: string, path: string): void
  chmod(path: string, mode: number): void
  utimes(path: string, mtimeMs: number): void
  exists(path: string): boolean
  /** `null`: nothing is there. */
  look(path: string): DiskEntry | null
  /** Everything below, each folder before its content, names in the order of their code units. */
  list(path?: string): DiskEntry[]
}

const none: Descriptors = new Map()
const encoder = new TextEncoder()
const decoder = new TextDecoder()

export function createUser(currentTree: () => DiskTree): DiskUser {
  /** The acts of one gesture; then what it left at the paths is brought to the disk. */
  function act<T>(
    paths: readonly string[],
    how: { readonly durable?: boolean },
    gesture: (tree: DiskTree) => T,
  ): T {
    const tree = currentTree()
    tree.isPrivileged = true
    try {
      const result = gesture(tree)
      if (how.durable !== false) for (const path of paths) tree.settlePath(path)
      return result
    } finally {
      tree.isPrivileged = false
    }
  }
  function look<T>(gesture: (tree: DiskTree) => T): T {
    return act([], {}, gesture)
  }
  function existing(tree: DiskTree, call: string, path: string): DiskNode {
    const node = tree.nodeAt(path)
    if (node === null) throw failure('ENOENT', call, path)
    return node
  }
  function removeAll(tree: DiskTree, path: string, node: DiskNode): void {
    for (const { name, node: child } of [...(node.entries?.values() ?? [])])
      removeAll(tree, `${path}/${name}`, child)
    if (node.isFolder) tree.rmdir(path, none)
    else tree.unlink(path, none)
  }
  function read(path: string): Uint8Array | null {
    const node = look((tree) => tree.nodeAt(path))
    return node?.kind === 'file' ? node.sharedContent() : null
  }

  return {
    write(path, content, how = {}) {
      const bytes = typeof content === 'string' ? encoder.encode(content) : content
      act([path], how, (tree) => {
        tree.makeFolders(path.slice(0, path.lastIndexOf('/')) || '/', 0o755)
        const { O_WRONLY, O_CREAT } = constants
        let node: DiskNode
        if (how.inPlace === true) {
          const open = tree.open(path, O_WRONLY | O_CREAT, how.mode ?? 0o644, none)
          node = open.node
          try {
            tree.replaceContent(node, bytes)
          } finally {
            tree.close(open)
          }
        } else node = tree.replaceFile(path, bytes, how.mode ?? 0o644)
        if (how.mode !== undefined && node.mode !== how.mode) tree.chmod(node, how.mode)
        if (how.mtimeMs !== undefined) tree.setTime(node, how.mtimeMs / 1_000)
      })
    },
    read,
    readText(path) {
      const bytes = read(path)
      return bytes === null ? null : decoder.decode(bytes)
    },
    rename: (from, to, how = {}) => act([from, to], how, (tree) => tree.rename(from, to, none)),
    remove(path, how = {}) {
      if (look((tree) => tree.nodeAt(path)) === null) return
      act([path], how, (tree) => removeAll(tree, path, existing(tree, 'remove', path)))
    },
    makeFolder: (path, how = {}) => act([path], how, (tree) => void tree.makeFolders(path, 0o755)),
    link: (existing, path, how = {}) => act([path], how, (tree) => tree.link(existing, path, none)),
    symlink: (target, path) => act([path], {}, (tree) => tree.symlink(target, path)),
    chmod: (path, mode) => act([path], {}, (tree) => tree.chmod(existing(tree, 'chmod', path), mode)),
    utimes: (path, mtimeMs) =>
      act([path], {}, (tree) => tree.setTime(existing(tree, 'utime', path), mtimeMs / 1_000)),
    exists: (path) => look((tree) => tree.nodeAt(path)) !== null,
    look(path) {
      const node = look((tree) => tree.nodeAt(path))
      return node === null ? null : describe(path, node)
    },
    list(path = '/') {
      const found: DiskEntry[] = []
      const visit = (folder: DiskNode, prefix: string) => {
        const entries = [...(folder.entries?.values() ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1))
        for (const { name, node } of entries) {
          found.push(describe(`${prefix}/${name}`, node))
          visit(node, `${prefix}/${name}`)
        }
      }
      const start = look((tree) => tree.nodeAt(path))
      if (start !== null) visit(start, path === '/' ? '' : path)
      return found
    },
  }
}

function describe(path: string, node: DiskNode): DiskEntry {
  const { kind, ino, nlink, mode, size, mtimeMs, ctimeMs } = node
  return { path, kind, ino, nlink, mode, size, mtimeMs, ctimeMs }
}
