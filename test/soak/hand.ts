/**
 * What people and programs do to files, on one workspace, with a record of what they know of it. A step that finds
 * the disk otherwise than expected (the engine works on it at the same time) ends the gesture; what was done by then
 * is recorded.
 */
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import type { ContentHash, FilePath } from '../../src/model/file-state.ts'
import { hashOf } from './contents.ts'
import type { GestureDraft, Result } from './history.ts'

const foundOtherwise = ['ENOENT', 'EEXIST', 'ENOTDIR', 'EISDIR', 'ENOTEMPTY', 'EBUSY']

export class Hand {
  private readonly results: Result[] = []
  private readonly destroyed: { path: FilePath; hash: ContentHash }[] = []
  private readonly links: (readonly [FilePath, FilePath])[] = []
  private readonly root: string
  /** On the same file system, outside of every workspace: what is moved here is gone. */
  private readonly graveyard: string
  private readonly name: string

  constructor(name: string, root: string, graveyard: string) {
    this.name = name
    this.root = root
    this.graveyard = graveyard
  }

  /** Makes the gesture and tells what came of it; `null` when nothing did. */
  static do(
    place: { readonly name: string; readonly workspace: string; readonly graveyard: string },
    what: string,
    gesture: (hand: Hand) => void,
  ): GestureDraft | null {
    const hand = new Hand(place.name, place.workspace, place.graveyard)
    try {
      gesture(hand)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && foundOtherwise.includes(String(error.code))))
        throw error
    }
    const { results, destroyed, links } = hand
    if (results.length + destroyed.length === 0) return null
    return { instance: hand.name, what, results, destroyed, links }
  }

  private at(path: FilePath): string {
    return join(this.root, path)
  }

  private makeRoom(path: FilePath): void {
    mkdirSync(dirname(this.at(path)), { recursive: true })
  }

  private stands(path: FilePath, hash: ContentHash | null): void {
    this.results.push({ path, hash })
  }

  has(path: FilePath): boolean {
    return existsSync(this.at(path))
  }

  /** The file's content; throws ENOENT. */
  read(path: FilePath): Buffer {
    return readFileSync(this.at(path))
  }

  /** Opens, empties and writes it anew, or writes over it and cuts the rest; makes it where it is missing. */
  write(
    path: FilePath,
    content: string | ((before: Buffer) => string),
    how: 'empties' | 'overwrites' = 'empties',
  ): void {
    this.makeRoom(path)
    const fd = openSync(this.at(path), constants.O_RDWR | constants.O_CREAT, 0o644)
    try {
      const before = readFileSync(fd)
      const bytes = Buffer.from(typeof content === 'string' ? content : content(before))
      if (how === 'empties') ftruncateSync(fd, 0)
      writeSync(fd, bytes, 0, bytes.length, 0)
      ftruncateSync(fd, bytes.length)
      if (before.length > 0) this.destroyed.push({ path, hash: hashOf(before) })
      this.stands(path, hashOf(bytes))
    } finally {
      closeSync(fd)
    }
  }

  /** Adds to the end, as a log does. Only to a file that is there. */
  append(path: FilePath, text: string): void {
    const fd = openSync(this.at(path), constants.O_RDWR | constants.O_APPEND)
    try {
      const before = readFileSync(fd)
      writeSync(fd, text)
      fsyncSync(fd)
      this.destroyed.push({ path, hash: hashOf(before) })
      this.stands(path, hashOf(Buffer.concat([before, Buffer.from(text)])))
    } finally {
      closeSync(fd)
    }
  }

  /** A new file beside it, renamed over it. */
  saveByRename(path: FilePath, content: string): void {
    this.makeRoom(path)
    const beside = `${path}.saving`
    writeFileSync(this.at(beside), content)
    this.stands(beside, hashOf(content))
    const before = existsSync(this.at(path)) ? this.read(path) : null
    renameSync(this.at(beside), this.at(path))
    this.links.push([beside, path])
    this.stands(beside, null)
    if (before !== null) this.destroyed.push({ path, hash: hashOf(before) })
    this.stands(path, hashOf(content))
  }

  /** The old file becomes a backup, a new one is written, the backup goes. */
  saveWithBackup(path: FilePath, content: string): void {
    const backup = `${path}~`
    this.rename(path, backup)
    writeFileSync(this.at(path), content, { flag: 'wx' })
    this.stands(path, hashOf(content))
    this.remove(backup)
  }

  /** To a name that is free. */
  rename(from: FilePath, to: FilePath): void {
    if (this.has(to)) return
    this.makeRoom(to)
    const hash = hashOf(this.read(from))
    renameSync(this.at(from), this.at(to))
    this.links.push([from, to])
    this.stands(from, null)
    this.stands(to, hash)
  }

  swap(one: FilePath, other: FilePath): void {
    const between = `${one}.swap`
    if (this.has(between)) return
    const [ofOne, ofOther] = [hashOf(this.read(one)), hashOf(this.read(other))]
    this.links.push([other, one], [one, other], [one, between], [between, other])
    renameSync(this.at(one), this.at(between))
    this.stands(one, null)
    this.stands(between, ofOne)
    renameSync(this.at(other), this.at(one))
    this.stands(other, null)
    this.stands(one, ofOther)
    renameSync(this.at(between), this.at(other))
    this.stands(between, null)
    this.stands(other, ofOne)
  }

  copy(from: FilePath, to: FilePath): void {
    if (this.has(to)) return
    this.makeRoom(to)
    copyFileSync(this.at(from), this.at(to), constants.COPYFILE_EXCL)
    this.links.push([from, to])
    this.stands(to, hashOf(this.read(to)))
  }

  remove(path: FilePath): void {
    const grave = join(this.graveyard, `${this.name}-${this.results.length}`)
    renameSync(this.at(path), grave)
    this.stands(path, null)
    this.bury(grave, path)
  }

  /** As `rm -r` does: one after the other. */
  removeFolder(path: FilePath): void {
    for (const entry of readdirSync(this.at(path), { withFileTypes: true })) {
      const below = `${path}/${entry.name}`
      if (entry.isDirectory()) this.removeFolder(below)
      else this.remove(below)
    }
    rmdirSync(this.at(path))
  }

  /** At once, to somewhere else. */
  moveFolderOut(path: FilePath): void {
    const grave = join(this.graveyard, `${this.name}-folder`)
    renameSync(this.at(path), grave)
    for (const [below, file] of filesIn(grave, path)) {
      this.stands(below, null)
      this.bury(file, below)
    }
    rmSync(grave, { recursive: true, force: true })
  }

  renameFolder(from: FilePath, to: FilePath): void {
    if (this.has(to) || to.startsWith(`${from}/`)) return
    this.makeRoom(to)
    renameSync(this.at(from), this.at(to))
    for (const [below, file] of filesIn(this.at(to), to)) {
      const old = `${from}${below.slice(to.length)}`
      this.links.push([old, below])
      this.stands(old, null)
      this.stands(below, hashOf(readFileSync(file)))
    }
  }

  /** A file gives way to a folder of its name. */
  becomeFolder(path: FilePath, name: string, content: string): void {
    this.remove(path)
    this.write(`${path}/${name}`, content)
  }

  makeFolder(path: FilePath): void {
    mkdirSync(this.at(path), { recursive: true })
  }

  /** Toggles the executable bit. */
  toggleMode(path: FilePath): void {
    chmodSync(this.at(path), statSync(this.at(path)).mode ^ 0o111)
  }

  touch(path: FilePath, seconds: number): void {
    utimesSync(this.at(path), seconds, seconds)
  }

  private bury(grave: string, path: FilePath): void {
    this.destroyed.push({ path, hash: hashOf(readFileSync(grave)) })
    unlinkSync(grave)
  }
}

/** Files below a folder, each under the path that it has when the folder is called so. */
function filesIn(folder: string, path: FilePath): [FilePath, string][] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry): [FilePath, string][] => {
    const [below, file] = [`${path}/${entry.name}`, join(folder, entry.name)]
    return entry.isDirectory() ? filesIn(file, below) : [[below, file]]
  })
}
