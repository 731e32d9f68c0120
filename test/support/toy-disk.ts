/** A disk that is a map, and as strict as the real ones: it never overwrites, nor uses a file as a folder. */
import type { FileId, FilePath } from '../../src/model/file-state.ts'
import { ancestorsOf } from '../../src/model/path.ts'
import type { Step } from '../../src/reconcile/order-steps.ts'

export class ToyDisk {
  private readonly files = new Map<string, { id: FileId; path: FilePath }>()
  private readonly folders = new Set<string>()
  private readonly parked = new Set<FileId>()
  private readonly fold: (path: FilePath) => string
  /** Folders whose entry stands in the local tree after the batch. */
  private readonly kept: ReadonlySet<string>

  constructor(options: { readonly fold: (path: FilePath) => string; readonly kept: readonly FilePath[] }) {
    this.fold = options.fold
    this.kept = new Set(options.kept.map(options.fold))
  }

  addFile(id: FileId, path: FilePath): void {
    const at = this.fold(path)
    if (this.files.has(at)) throw new Error(`a file stands at ${path}`)
    if (this.folders.has(at)) throw new Error(`a folder stands at ${path}`)
    this.addParents(path)
    this.files.set(at, { id, path })
  }

  addFolder(path: FilePath): void {
    if (this.files.has(this.fold(path))) throw new Error(`a file stands at ${path}`)
    this.addParents(path)
    this.folders.add(this.fold(path))
  }

  run(step: Step): void {
    switch (step.kind) {
      case 'remove':
        this.takeFile(step.id, step.path)
        return
      case 'move':
        this.move(step.id, step.from, step.to)
        return
      case 'park':
        this.takeFile(step.id, step.path)
        this.parked.add(step.id)
        return
      case 'unpark':
        if (!this.parked.delete(step.id)) throw new Error(`${step.id} is not parked`)
        this.addFile(step.id, step.path)
        return
      case 'make-folder':
        this.addFolder(step.path)
        return
      case 'place':
        if (this.files.get(this.fold(step.path))?.id === step.id) return
        this.addFile(step.id, step.path)
        return
      case 'remove-folder':
        this.removeFolder(step.path)
        return
      case 'prune':
        if (!this.kept.has(this.fold(step.path))) this.removeFolder(step.path)
        return
    }
  }

  /** `path id` of each file and `path/` of each folder, sorted. */
  tree(): string[] {
    if (this.parked.size > 0) throw new Error('a file is still parked')
    const files = [...this.files.values()].map(({ id, path }) => `${path} ${id}`)
    return [...files, ...[...this.folders].map((path) => `${path}/`)].sort()
  }

  private move(id: FileId, from: FilePath, to: FilePath): void {
    if (this.folders.has(this.fold(from))) {
      if ([...this.folders, ...this.files.keys()].some((path) => path.startsWith(`${this.fold(from)}/`)))
        throw new Error(`${from} is not empty`)
      this.folders.delete(this.fold(from))
      if (this.folders.has(this.fold(to))) throw new Error(`a folder stands at ${to}`)
      this.addFolder(to)
      return
    }
    // A rename looks at its target before its source goes; only another spelling of itself is no obstacle.
    const own = this.fold(from) === this.fold(to)
    if (!own && (this.files.has(this.fold(to)) || this.folders.has(this.fold(to))))
      throw new Error(`something stands at ${to}`)
    if (!own) this.addParents(to)
    this.takeFile(id, from)
    this.addFile(id, to)
  }

  private takeFile(id: FileId, path: FilePath): void {
    if (this.files.get(this.fold(path))?.id !== id) throw new Error(`${id} is not at ${path}`)
    this.files.delete(this.fold(path))
  }

  private removeFolder(path: FilePath): void {
    const at = this.fold(path)
    const inside = (other: string) => other.startsWith(`${at}/`)
    if ([...this.files.keys()].some(inside) || [...this.folders].some(inside)) return
    this.folders.delete(at)
  }

  private addParents(path: FilePath): void {
    for (const folder of ancestorsOf(path)) {
      if (this.files.has(this.fold(folder))) throw new Error(`the file ${folder} is in the way of ${path}`)
      this.folders.add(this.fold(folder))
    }
  }
}
