/** The hands of people and programs on one instance's folder. What they do goes into the history. */
import type { FilePath, LocalFile } from '../../src/model/file-state.ts'
import { nameOf, parentOf } from '../../src/model/path.ts'
import type { Chance } from './chance.ts'
import { editedText, hashOfText, isWhole, newText } from './contents.ts'
import type { DiskEntry } from './disk.ts'
import type { History } from './history.ts'
import { rootPath, type SimulatedInstance } from './instance.ts'

const folders = ['', 'a', 'b', 'a/c']
const names = ['x.md', 'y.md', 'Y.md', 'z', '\u00e9', 'e\u0301']

export class Person {
  private readonly instance: SimulatedInstance
  private readonly history: History

  constructor(instance: SimulatedInstance, history: History) {
    this.instance = instance
    this.history = history
  }

  /** Path → text of every file of the workspace. */
  files(): Map<FilePath, string> {
    return new Map(
      workspaceOf(this.instance).flatMap(({ path, text }) => (text === null ? [] : [[path, text]])),
    )
  }

  folders(): FilePath[] {
    return workspaceOf(this.instance).flatMap(({ path, text }) => (text === null ? [path] : []))
  }

  private get disk() {
    return this.instance.disk.user
  }

  private at(path: FilePath): string {
    return path === '' ? rootPath : `${rootPath}/${path}`
  }

  /** A path at which nothing stands, below folders only. */
  freePath(chance: Chance): FilePath | null {
    const files = this.files()
    const taken = new Set([...files.keys(), ...this.folders()])
    for (let attempt = 0; attempt < 8; attempt++) {
      const folder = chance.pick(folders)
      const path = folder === '' ? chance.pick(names) : `${folder}/${chance.pick(names)}`
      const above = folder.split('/').map((_, index, parts) => parts.slice(0, index + 1).join('/'))
      if (!taken.has(path) && !above.some((each) => files.has(each))) return path
    }
    return null
  }

  anyFile(chance: Chance): FilePath | null {
    const files = [...this.files().keys()].sort()
    return files.length === 0 ? null : chance.pick(files)
  }

  anyFolder(chance: Chance): FilePath | null {
    const all = this.folders().sort()
    return all.length === 0 ? null : chance.pick(all)
  }

  save(path: FilePath, text: string, options: { readonly inPlace: boolean }): void {
    const base = this.files().get(path) ?? null
    this.sawTorn(path, base)
    this.history.wrote(this.instance.name, path, text, base, base !== null && this.isUnseen(path, base))
    this.disk.makeFolder(this.at(parentOf(path)))
    if (options.inPlace || base === null) {
      this.disk.write(this.at(path), Buffer.from(text), { inPlace: true })
    } else {
      // Renamed and then saved by renaming before anybody looked: nothing of the file is left where it stood.
      const renamed = this.rowOf(path)
      if (renamed !== undefined && renamed.state.path !== path) this.givesUp(renamed.state.path)
      const fresh = this.at(`${parentOf(path) === '' ? '' : `${parentOf(path)}/`}.${nameOf(path)}.tmp`)
      this.disk.write(fresh, Buffer.from(text), { inPlace: true })
      this.disk.rename(fresh, this.at(path))
    }
    this.touched(path)
  }

  create(chance: Chance): boolean {
    const path = this.freePath(chance)
    if (path === null) return false
    this.save(path, newText(this.history.newMark(this.instance.name)), { inPlace: true })
    return true
  }

  edit(chance: Chance, given?: FilePath, how?: { readonly inPlace: boolean }): boolean {
    const path = given ?? this.anyFile(chance)
    if (path === null) return false
    const text = this.files().get(path)
    if (text === undefined) return false
    const mark = this.history.newMark(this.instance.name)
    const drawn = chance.happens(0.3) ? newText(mark) : editedText(text, chance.between(0, 2), mark)
    // What a power cut tore nobody goes on from: the torn rest would be in their own edit.
    const edited = this.seesTorn(text) ? newText(mark) : drawn
    this.save(path, edited, how ?? { inPlace: chance.happens(0.5) })
    return true
  }

  remove(path: FilePath): void {
    const text = this.files().get(path)
    if (text === undefined) return
    this.givesUp(path)
    this.history.removed(this.instance.name, path, text, this.isUnseen(path, text))
    this.disk.remove(this.at(path))
    this.touched(path)
  }

  removeFolder(path: FilePath): void {
    for (const [file, text] of this.files())
      if (file.startsWith(`${path}/`)) {
        this.givesUp(file)
        this.history.removed(this.instance.name, file, text, this.isUnseen(file, text))
      }
    this.disk.remove(this.at(path))
    this.touched(path)
  }

  /** Of a file or a folder. What stands at the new path is given up. */
  rename(from: FilePath, to: FilePath): void {
    const files = this.files()
    const moved = files.get(from)
    const replaced = files.get(to)
    if (replaced !== undefined)
      this.history.removed(this.instance.name, to, replaced, this.isUnseen(to, replaced))
    if (moved === undefined && replaced !== undefined) return
    // A file that was there keeps its place and is edited by it; the one that was moved over it is deleted.
    if (replaced !== undefined) {
      this.givesUp(from)
      // Renamed to there before anybody looked: nothing of that file is left.
      const overwritten = this.rowOf(to)
      if (overwritten !== undefined && overwritten.state.path !== to) this.givesUp(overwritten.state.path)
      if (moved !== undefined) this.history.movedOver(moved)
    }
    for (const [path, text] of files)
      if (path === from || path.startsWith(`${from}/`)) {
        // Deleted and made anew at its path between two looks it is the same file, which this one is an edit of now.
        if (this.wasFreed(`${to}${path.slice(from.length)}`)) this.history.movedOver(text)
        this.history.moved(text, { instance: this.instance.name, path })
      }
    this.disk.makeFolder(this.at(parentOf(to)))
    this.disk.rename(this.at(from), this.at(to))
    this.touched(from, to)
  }

  swap(left: FilePath, right: FilePath): void {
    const files = this.files()
    // What is left, in part, of a file that had been replaced already, nobody and no index knows under another name.
    for (const path of [left, right])
      if (this.seesTorn(files.get(path) ?? '') && this.rowOf(path) === undefined) return
    for (const path of [left, right]) {
      const text = files.get(path)
      if (text !== undefined) {
        this.history.moved(text)
        this.history.movedOver(text)
      }
    }
    const aside = `${left}.aside`
    this.disk.rename(this.at(left), this.at(aside))
    this.disk.rename(this.at(right), this.at(left))
    this.disk.rename(this.at(aside), this.at(right))
    this.touched(left, right)
  }

  copy(from: FilePath, to: FilePath): void {
    const text = this.files().get(from)
    if (text !== undefined && !this.seesTorn(text)) this.save(to, text, { inPlace: true })
  }

  makeFolder(path: FilePath): void {
    this.disk.makeFolder(this.at(path))
    this.touched(path)
  }

  look(path: FilePath): DiskEntry | null {
    return this.disk.look(this.at(path))
  }

  touchTime(path: FilePath, mtimeMs: number): void {
    this.disk.utimes(this.at(path), mtimeMs)
    this.touched(path)
  }

  setExecutable(path: FilePath, executable: boolean): void {
    this.disk.chmod(this.at(path), executable ? 0o755 : 0o644)
    this.touched(path)
  }

  /** Before the next start, which takes it away: found later it is Davit's fault. */
  private seesTorn(text: string): boolean {
    return this.instance.isDark && !isWhole(text)
  }

  /**
   * Saves over what a power cut left of a file, a part of it, what it had been before, or nothing, ahead of any start. No
   * program can tell that from an edit of the file: what it held is given up here, unless somebody else has it.
   */
  private sawTorn(path: FilePath, text: string | null): void {
    if (!this.instance.isDark && (text === null || this.history.isKnown(text))) return
    const hash = (this.instance.index.trees.localAt(path) ?? this.rowOf(path))?.state.hash
    if (text !== null && hash === hashOfText(text)) return
    const whole = hash === undefined || hash === null ? null : this.history.textOf(hash)
    if (whole !== null) this.history.decided([], [whole])
  }

  /** What the index knows of the file that stands there, under whatever name. */
  private rowOf(path: FilePath): LocalFile | undefined {
    const inode = this.look(path)?.ino
    return this.instance.index.trees.localPage({ limit: 1_000 }).find(({ stamp }) => stamp?.inode === inode)
  }

  /** Whether the file that Davit knows there was taken away since it looked, and stands nowhere else either. */
  private wasFreed(path: FilePath): boolean {
    const row = this.instance.index.trees.localAt(path)
    if (row === null || row.stamp === null || row.state.kind !== 'file') return false
    const { inode } = row.stamp
    return !this.disk.list(rootPath).some(({ ino }) => ino === inode)
  }

  /**
   * A file that the index still knows under another name, whoever renamed it: somebody here, or a pull that was killed
   * before it wrote that down. Where something new was saved there since, that is the file from then on.
   */
  private renamedFrom(path: FilePath): LocalFile | undefined {
    const row = this.rowOf(path)
    if (row === undefined) return undefined
    const former = row.state.path
    return this.files().has(former) && this.rowOf(former) === undefined ? undefined : row
  }

  private isUnseen(path: FilePath, text: string): boolean {
    return this.instance.index.trees.localAt(path)?.state.hash !== hashOfText(text)
  }

  /** Deleting a file of which the conflict is known here decides it: every side is given up. */
  private givesUp(path: FilePath): void {
    const { trees, conflicts } = this.instance.index
    const id = (trees.localAt(path) ?? this.renamedFrom(path))?.id
    if (id === undefined) return
    const committed = trees.remoteOf(id)?.state.hash ?? null
    for (const conflict of conflicts.ofFile(id)) {
      if (conflict.aspect !== 'content') continue
      const hashes = [committed, ...conflict.candidates.map(({ hash }) => hash)]
      const sides = hashes.map((hash) => (hash === null ? null : this.history.textOf(hash)))
      this.history.decided(
        [],
        sides.filter((side) => side !== null),
      )
    }
  }

  private touched(...paths: FilePath[]): void {
    this.instance.touched(paths)
  }
}

export interface WorkspaceEntry {
  readonly path: FilePath
  /** `null` for a folder. */
  readonly text: string | null
  readonly executable: boolean
}

/** Everything in the workspace but the state folder, sorted by path. */
export function workspaceOf(instance: SimulatedInstance): WorkspaceEntry[] {
  return entriesOf(instance).filter(({ path }) => path !== '.davit' && !path.startsWith('.davit/'))
}

/** Texts in the trash and of parked files. */
export function keptTexts(instance: SimulatedInstance): string[] {
  return entriesOf(instance).flatMap(({ path, text }) =>
    text !== null && (path.startsWith('.davit/trash/') || path.startsWith('.davit/parked/')) ? [text] : [],
  )
}

function entriesOf(instance: SimulatedInstance): WorkspaceEntry[] {
  const { user } = instance.disk
  return user.list(rootPath).map((entry) => ({
    path: entry.path.slice(rootPath.length + 1),
    text: entry.kind === 'folder' ? null : (user.readText(entry.path) ?? ''),
    executable: (entry.mode & 0o100) !== 0,
  }))
}
