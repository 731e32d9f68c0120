/** People and programs at work in all workspaces: one seed chooses who does what to which file. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Random } from '../../src/model/clock.ts'
import type { FilePath } from '../../src/model/file-state.ts'
import { Hand } from './hand.ts'
import type { History } from './history.ts'
import type { Serving } from './serving.ts'

/** Names that some `.davitignore` of the soak covers: nothing is said about what becomes of them. */
export function mayBeIgnored(path: FilePath): boolean {
  return /(^|\/)scratch(\/|$)|\.(tmp|bak)(\/|$)/.test(path)
}

const ignoreLines = ['*.tmp', '*.bak', 'scratch/']
const folderNames = ['letters', 'plans', 'notes', 'photos', 'accounts', 'Fotos 2024', 'été']
const contentsKept = 500

/** Weights of the gestures that one person makes in one workspace. */
const alone = {
  create: 14,
  edit: 16,
  overwrite: 6,
  append: 10,
  saveByRename: 10,
  saveWithBackup: 5,
  rename: 8,
  renameFolder: 2,
  swap: 3,
  copy: 4,
  remove: 8,
  removeFolder: 1,
  moveFolderOut: 1,
  makeTree: 3,
  emptyTree: 1,
  unpack: 1,
  restore: 4,
  becomeFolder: 0.5,
  toggleMode: 2,
  touch: 2,
  ignore: 0.5,
  ignored: 3,
}
/** Weights of what several do at once, each in a workspace of their own. */
const together = {
  editAll: 4,
  sameEdit: 3,
  createAll: 3,
  editAndRemove: 3,
  editAndRename: 3,
  renameBoth: 2,
  renameFolderAndEdit: 1,
}

export class Crowd {
  private readonly random: Random
  private readonly history: History
  private readonly graveyard: string
  private readonly filesWanted: number
  /** Contents that stood somewhere, to be brought back. */
  private readonly old: { readonly path: FilePath; readonly text: string }[] = []
  private written = 0

  constructor(options: {
    readonly random: Random
    readonly history: History
    readonly graveyard: string
    readonly filesWanted: number
  }) {
    this.random = options.random
    this.history = options.history
    this.graveyard = options.graveyard
    this.filesWanted = options.filesWanted
  }

  /** Fills an empty workspace. */
  fill(one: Serving): void {
    while (filesOf(one.workspace).length < this.filesWanted)
      this.make(one, 'create', (hand) => hand.write(this.newPath(), this.text()))
  }

  /** One gesture, of one person or of several at once. */
  act(everybody: readonly Serving[]): void {
    if (this.random.fraction() < 0.2) this.actTogether(everybody)
    else this.actAlone(this.pick(everybody))
  }

  private actAlone(one: Serving): void {
    const files = filesOf(one.workspace)
    const file = () => this.pick(files)
    const crowded = files.length / this.filesWanted
    const what = this.weighted(alone, (name) => {
      if (name === 'create' || name === 'makeTree' || name === 'unpack') return crowded > 1.2 ? 0.2 : 1
      if (name.startsWith('remove') || name === 'moveFolderOut')
        return crowded > 1.2 ? 2 : crowded < 0.8 ? 0.2 : 1
      return 1
    })
    if (files.length === 0 && what !== 'create') return
    this.make(one, what, (hand) => {
      switch (what) {
        case 'create':
          return hand.write(this.newPath(), this.text())
        case 'edit':
          return hand.write(file(), (before) => this.edited(before.toString()), 'overwrites')
        case 'overwrite': {
          const path = file()
          this.remember(path, hand.read(path).toString())
          return hand.write(path, this.text())
        }
        case 'append':
          return hand.append(file(), this.line())
        case 'saveByRename': {
          const path = file()
          return hand.saveByRename(path, this.edited(hand.read(path).toString()))
        }
        case 'saveWithBackup': {
          const path = file()
          return hand.saveWithBackup(path, this.edited(hand.read(path).toString()))
        }
        case 'rename':
          return hand.rename(file(), this.newPath())
        case 'renameFolder':
          return hand.renameFolder(this.folderOf(files), this.newFolder())
        case 'swap': {
          const [here, there] = [file(), file()]
          if (here !== there) hand.swap(here, there)
          return
        }
        case 'copy':
          return hand.copy(file(), this.newPath())
        case 'remove': {
          const path = file()
          this.remember(path, hand.read(path).toString())
          return hand.remove(path)
        }
        case 'removeFolder':
          return hand.removeFolder(this.folderOf(files))
        case 'moveFolderOut':
          return hand.moveFolderOut(this.folderOf(files))
        case 'makeTree':
          return hand.write(`${this.newFolder()}/${this.newFolder()}/${this.fileName()}`, this.text())
        case 'emptyTree':
          return hand.makeFolder(`${this.newFolder()}/${this.newFolder()}`)
        case 'unpack': {
          const folder = `${this.newFolder()}/unpacked-${this.number(100)}`
          for (let left = 5 + this.number(20); left > 0; left--)
            hand.write(`${folder}/${this.fileName()}`, this.text())
          return
        }
        case 'restore': {
          const earlier = this.old[this.number(this.old.length)]
          if (earlier !== undefined) hand.write(earlier.path, earlier.text)
          return
        }
        case 'becomeFolder':
          return hand.becomeFolder(file(), this.fileName(), this.text())
        case 'toggleMode':
          return hand.toggleMode(file())
        case 'touch':
          return hand.touch(file(), 1_700_000_000 + this.number(1_000_000))
        case 'ignore': {
          const lines = ignoreLines.filter(() => this.random.fraction() < 0.5)
          return hand.write('.davitignore', `# ${this.line()}${lines.join('\n')}\n`)
        }
        case 'ignored': {
          const name = this.fileName()
          const path = this.random.fraction() < 0.5 ? `scratch/${name}` : `${this.newFolder()}/${name}.tmp`
          return hand.write(path, this.text())
        }
      }
    })
  }

  private actTogether(everybody: readonly Serving[]): void {
    const [one, ...others] = this.shuffled(everybody)
    const other = others[0]
    if (one === undefined || other === undefined) return
    const files = filesOf(one.workspace)
    if (files.length === 0) return
    const path = this.pick(files)
    const edit = (who: Serving, what: string) =>
      this.make(who, what, (hand) => {
        const text = this.edited(hand.read(path).toString())
        if (this.random.fraction() < 0.5) hand.write(path, text)
        else hand.saveByRename(path, text)
      })
    const what = this.weighted(together, () => 1)
    switch (what) {
      case 'editAll':
        for (const who of [one, ...others]) if (this.random.fraction() < 0.7) edit(who, what)
        return
      case 'sameEdit': {
        const text = this.text()
        for (const who of [one, ...others]) this.make(who, what, (hand) => hand.write(path, text))
        return
      }
      case 'createAll': {
        const fresh = this.newPath()
        const text = this.random.fraction() < 0.3 ? this.text() : null
        for (const who of [one, ...others])
          this.make(who, what, (hand) => hand.write(fresh, text ?? this.text()))
        return
      }
      case 'editAndRemove':
        edit(one, what)
        this.make(other, what, (hand) => hand.remove(path))
        return
      case 'editAndRename':
        edit(one, what)
        this.make(other, what, (hand) => hand.rename(path, this.newPath()))
        return
      case 'renameBoth':
        for (const who of [one, other]) this.make(who, what, (hand) => hand.rename(path, this.newPath()))
        return
      case 'renameFolderAndEdit': {
        const folder = this.folderOf(files)
        this.make(one, what, (hand) => hand.renameFolder(folder, this.newFolder()))
        this.make(other, what, (hand) => {
          const inside = filesOf(other.workspace).filter((file) => file.startsWith(`${folder}/`))
          if (inside.length > 0) hand.write(this.pick(inside), this.text())
          hand.write(`${folder}/${this.fileName()}`, this.text())
        })
      }
    }
  }

  private make(one: Serving, what: string, gesture: (hand: Hand) => void): void {
    const place = { name: one.name, workspace: one.workspace, graveyard: this.graveyard }
    const draft = Hand.do(place, what, gesture)
    if (draft !== null) this.history.add(draft)
  }

  // -- names and texts ---------------------------------------------------------------------------------------------

  number(below: number): number {
    return Math.floor(this.random.fraction() * below)
  }

  pick<T>(items: readonly T[]): T {
    return items[this.number(items.length)] as T
  }

  private shuffled<T>(items: readonly T[]): T[] {
    return items
      .map((item) => [this.random.fraction(), item] as const)
      .sort(([left], [right]) => left - right)
      .map(([, item]) => item)
  }

  private weighted<Name extends string>(
    weights: Readonly<Record<Name, number>>,
    factor: (name: Name) => number,
  ): Name {
    const entries = (Object.entries(weights) as [Name, number][]).map(
      ([name, weight]) => [name, weight * factor(name)] as const,
    )
    let left = this.random.fraction() * entries.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [name, weight] of entries) {
      left -= weight
      if (left < 0) return name
    }
    return (entries.at(-1) as readonly [Name, number])[0]
  }

  private newFolder(): FilePath {
    const top = this.pick(folderNames)
    return this.random.fraction() < 0.5 ? top : `${top}/${this.pick(folderNames)} ${this.number(9)}`
  }

  /** Few enough that deleted names are taken again, and that two take the same. */
  private fileName(): string {
    return `file ${this.number(this.filesWanted)}.${this.random.fraction() < 0.5 ? 'txt' : 'md'}`
  }

  private newPath(): FilePath {
    return this.random.fraction() < 0.1 ? this.fileName() : `${this.newFolder()}/${this.fileName()}`
  }

  private folderOf(files: readonly FilePath[]): FilePath {
    const inside = files.filter((path) => path.includes('/'))
    if (inside.length === 0) return this.newFolder()
    const path = this.pick(inside)
    return path.slice(0, path.lastIndexOf('/'))
  }

  private line(): string {
    return `${this.random.hex(4 + this.number(20))} ${++this.written}\n`
  }

  /** Never the same twice; mostly small. */
  private text(): string {
    let text = ''
    for (let lines = 1 + this.number(30); lines > 0; lines--) text += this.line()
    if (this.random.fraction() < 0.01) text += this.random.hex(100_000 + this.number(400_000))
    return text
  }

  /** One line changed, added or taken away, somewhere. */
  private edited(text: string): string {
    const lines = text.split('\n')
    const place = this.number(lines.length)
    if (this.random.fraction() < 0.5) lines[place] = this.line().trimEnd()
    else lines.splice(place, 0, this.line().trimEnd())
    return lines.join('\n')
  }

  /** Remembers what stands somewhere, for the day it is brought back. */
  private remember(path: FilePath, text: string): void {
    this.old.push({ path, text })
    if (this.old.length > contentsKept) this.old.shift()
  }
}

/** Paths of all files in a workspace that gestures are made on. */
export function filesOf(workspace: string): FilePath[] {
  const found: FilePath[] = []
  const walk = (path: FilePath) => {
    let entries: ReturnType<typeof list>
    try {
      entries = list(join(workspace, path))
    } catch (error) {
      // The engine took the folder away meanwhile.
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return
      throw error
    }
    for (const entry of entries) {
      const below = path === '' ? entry.name : `${path}/${entry.name}`
      if (below === '.davit' || below === '.davitignore' || entry.name.startsWith('.davit-tmp-')) continue
      if (entry.isDirectory()) walk(below)
      else if (entry.isFile()) found.push(below)
    }
  }
  walk('')
  return found
}

function list(folder: string) {
  return readdirSync(folder, { withFileTypes: true })
}
