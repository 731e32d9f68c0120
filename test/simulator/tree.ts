/** The files and folders of the simulated server. Paths have no slash at either end; `''` is the server's own root. */

export interface FileNode {
  readonly kind: 'file'
  /** Replaced as a whole, never changed in place: readers and snapshots keep theirs. */
  bytes: Uint8Array
  modifiedMs: number
  readonly serial: number
}

export interface FolderNode {
  readonly kind: 'folder'
  readonly children: Map<string, TreeNode>
}

export type TreeNode = FileNode | FolderNode

/** What lies below one folder. Names of folders end in a slash and stand before what is in them. */
export type StoreSnapshot = ReadonlyMap<string, Uint8Array | null>

export class Tree {
  readonly #root: FolderNode = { kind: 'folder', children: new Map() }
  #serial = 0

  find(path: string): TreeNode | null {
    let node: TreeNode = this.#root
    if (path === '') return node
    for (const segment of path.split('/')) {
      if (node.kind === 'file') return null
      const child = node.children.get(segment)
      if (child === undefined) return null
      node = child
    }
    return node
  }

  file(path: string): FileNode | null {
    const node = this.find(path)
    return node?.kind === 'file' ? node : null
  }

  folder(path: string): FolderNode | null {
    const node = this.find(path)
    return node?.kind === 'folder' ? node : null
  }

  newFile(bytes: Uint8Array, modifiedMs: number): FileNode {
    this.#serial++
    return { kind: 'file', bytes, modifiedMs, serial: this.#serial }
  }

  /** In the place of whatever is there. The parent must exist. */
  place(path: string, node: TreeNode): void {
    const parent = this.folder(parentOf(path))
    if (parent === null) throw new Error(`no folder for ${path}`)
    parent.children.set(nameOf(path), node)
  }

  remove(path: string): TreeNode | null {
    const parent = this.folder(parentOf(path))
    const node = parent?.children.get(nameOf(path))
    if (parent === null || node === undefined) return null
    parent.children.delete(nameOf(path))
    return node
  }

  /** The folder and those above it; a file in the way stays, and then there is none. */
  makeFolders(path: string): FolderNode | null {
    let node: FolderNode = this.#root
    for (const segment of path === '' ? [] : path.split('/')) {
      let child = node.children.get(segment)
      if (child === undefined) {
        child = { kind: 'folder', children: new Map() }
        node.children.set(segment, child)
      }
      if (child.kind === 'file') return null
      node = child
    }
    return node
  }

  sizeBytes(): number {
    let sum = 0
    for (const bytes of this.snapshot('').values()) sum += bytes?.length ?? 0
    return sum
  }

  snapshot(path: string): StoreSnapshot {
    const found = new Map<string, Uint8Array | null>()
    const visit = (folder: FolderNode, prefix: string): void => {
      for (const [name, node] of folder.children) {
        if (node.kind === 'file') found.set(prefix + name, node.bytes)
        else {
          found.set(`${prefix}${name}/`, null)
          visit(node, `${prefix}${name}/`)
        }
      }
    }
    const folder = this.folder(path)
    if (folder !== null) visit(folder, '')
    return found
  }

  restore(path: string, snapshot: StoreSnapshot, modifiedMs: number): void {
    const root = this.makeFolders(path)
    root?.children.clear()
    for (const [name, bytes] of snapshot) {
      const full = below(path, name)
      if (bytes === null) this.makeFolders(full)
      else this.place(full, this.newFile(bytes, modifiedMs))
    }
  }
}

/** A name below a folder as a path. */
export function below(folder: string, name: string): string {
  const plain = name.endsWith('/') ? name.slice(0, -1) : name
  return folder === '' ? plain : plain === '' ? folder : `${folder}/${plain}`
}

export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash < 0 ? '' : path.slice(0, slash)
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
