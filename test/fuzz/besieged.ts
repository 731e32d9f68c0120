/**
 * An honest instance, with files and unsent edits of its own, on a store into which somebody else puts something. What
 * must hold afterwards is looked at from outside: the folder, what lies around it, the store, what the run told.
 */
import fs from 'node:fs'
import path from 'node:path'
import { type ChainPoint, emptyStorePoint } from '../../src/model/changeset.ts'
import { isDavitError } from '../../src/model/errors.ts'
import type { RunSummary } from '../../src/model/run.ts'
import { decodeChangeset } from '../../src/remote/changeset-format.ts'
import { changesetName, parseHead } from '../../src/remote/layout.ts'
import { createMemoryDav, type MemoryDav } from '../support/memory-dav.ts'
import { createTestClock, Replica, type TestClock } from '../support/replica.ts'
import { Author } from './author.ts'
import { Broken, expectThat, judgeMessage, type Refusal } from './kind.ts'
import { makeScratchFolder } from './scratch.ts'

const storeRoot = 'dav/store/'
const requestsMax = 400
const virtualMsMax = 60 * 60_000

/** What the instance has changed and not sent when the object comes. */
const edits: Readonly<Record<string, string>> = { 'a.txt': 'edited here\n', 'mine.txt': 'only here' }

/** Whatever ends a run is told as one of these; `internal` would be a fault of ours. */
const runRefusal: Refusal = {
  codes: [
    'remote-damaged',
    'remote-newer',
    'remote-unexpected',
    'remote-unreachable',
    'remote-busy',
    'remote-full',
    'remote-unauthorized',
    'remote-too-large',
    'remote-missing',
    'remote-rolled-back',
    'remote-foreign',
    'deletion-guard',
    'path-unsafe',
    'path-unrepresentable',
    'file-busy',
    'file-changed',
    'file-unreadable',
    'not-found',
    'disk-full',
  ],
  names:
    /changes\/|changeset \d+|checkpoint|http:\/\/dav\.test|version\/|'.*'|[0-9a-f]{2}\/[0-9a-f]{64}|\d+ files?/s,
}

export class Besieged {
  readonly author: Author
  readonly dav: MemoryDav
  readonly bob: Replica
  private readonly clock: TestClock
  private readonly base: string
  /** Below the state folder and around the workspace, as it was before anything hostile came. */
  private own: readonly string[] = []
  private around = ''
  private isJoined = false

  private constructor(author: Author) {
    this.author = author
    this.base = makeScratchFolder('store')
    this.dav = createMemoryDav()
    this.clock = createTestClock()
    const root = path.join(this.base, 'bob')
    fs.mkdirSync(root)
    fs.writeFileSync(path.join(this.base, 'canary.txt'), 'unharmed')
    this.bob = new Replica({ name: 'bob', root, clock: this.clock, dav: this.dav, inMemory: true })
  }

  /** `newcomer`: an instance with files of its own that has not joined yet. */
  static async open(options: { readonly newcomer: boolean }): Promise<Besieged> {
    const besieged = new Besieged(Author.ofSmallStore())
    const { bob } = besieged
    besieged.putStore()
    await bob.open()
    besieged.own = besieged.stateFiles()
    if (!options.newcomer) {
      const { outcome, error } = await bob.sync()
      if (outcome !== 'conflicts')
        throw new Error(`the honest store was not taken: ${outcome} ${error?.message}`)
      besieged.isJoined = true
    }
    for (const [target, content] of Object.entries(edits)) bob.write(target, content)
    besieged.around = besieged.surroundings()
    return besieged
  }

  async close(): Promise<void> {
    await this.bob.close()
    this.author.database.close()
    fs.rmSync(this.base, { recursive: true, force: true })
  }

  /** The store becomes what the author's is. */
  putStore(): void {
    this.dav.files.clear()
    for (const [name, bytes] of this.author.files) this.putObject(name, bytes)
  }

  putObject(name: string, bytes: Uint8Array): void {
    const segments = (storeRoot + name).split('/')
    for (let depth = 1; depth < segments.length; depth++)
      this.dav.folders.add(segments.slice(0, depth).join('/'))
    this.dav.files.set(storeRoot + name, bytes)
  }

  removeObject(name: string): void {
    this.dav.files.delete(storeRoot + name)
  }

  /**
   * One sync with the hostile thing in place, and another once it is gone or was followed by an honest commit. Throws
   * `Broken` for whatever an instance must never do.
   */
  async endure(restore: () => void): Promise<void> {
    const { bob } = this
    const before = bob.tree()
    const versionBefore = bob.version()
    const summary = await this.syncBounded()
    this.judge(summary)
    this.expectContained(before)
    const isTaken = bob.version() > versionBefore
    if (!isTaken && this.isJoined) {
      expectThat(
        JSON.stringify(bob.tree()) === JSON.stringify(before),
        `files were changed by what was not taken: ${Object.keys(bob.tree()).join(' ')}`,
      )
    }
    if (isTaken) this.expectSound()
    restore()
    await this.expectToGoOn(before)
  }

  private async syncBounded(options: { readonly force?: boolean } = {}): Promise<RunSummary> {
    const sentBefore = this.bob.sent.length
    const timeBefore = this.clock.monotonic()
    const summary = await this.bob.sync(options)
    const sent = this.bob.sent.length - sentBefore
    expectThat(sent <= requestsMax, `${sent} requests were sent`)
    const waitedMs = this.clock.monotonic() - timeBefore
    expectThat(waitedMs <= virtualMsMax, `it took ${waitedMs} ms`)
    return summary
  }

  private judge(summary: RunSummary): void {
    if (summary.error !== undefined) judgeMessage(summary.error.code, summary.error.message, runRefusal)
    // A name that another platform cannot hold is told by a word of its own.
    for (const { code, detail } of summary.problems)
      if (code !== 'portability') judgeMessage(code, detail, { ...runRefusal, names: /./s })
  }

  /** Nothing around the workspace or in the state folder that was not there; no content gone without a copy. */
  private expectContained(before: Readonly<Record<string, string>>): void {
    const { bob } = this
    expectThat(this.surroundings() === this.around, `something was written outside: ${this.surroundings()}`)
    const strange = this.stateFiles().filter((name) => !this.own.includes(name) && !/^trash(\/|$)/.test(name))
    expectThat(strange.length === 0, `there is ${strange[0]} in the state folder`)
    const kept = new Set([...Object.values(bob.tree()), ...bob.trash()])
    for (const bytes of this.dav.files.values()) kept.add(Buffer.from(bytes).toString())
    for (const [target, content] of Object.entries(before))
      expectThat(target.endsWith('/') || kept.has(content), `the content of ${target} is nowhere any more`)
  }

  /** What was taken in makes an index in order, and a checkpoint that others can read. */
  private expectSound(): void {
    const { bob } = this
    const problems = bob.database.verify()
    expectThat(problems.length === 0, `the index is not in order: ${JSON.stringify(problems[0])}`)
    const file = path.join(this.base, 'checkpoint.db')
    try {
      bob.database.writeCheckpoint(file)
    } catch (error) {
      throw new Broken(
        `no checkpoint can be written: ${error instanceof Error ? error.message : String(error)}`,
      )
    }
    fs.rmSync(file)
  }

  /** An honest commit on top arrives, nothing of one's own is lost, and then there is rest. */
  private async expectToGoOn(before: Readonly<Record<string, string>>): Promise<void> {
    const { author, bob, dav } = this
    this.followStore()
    author.commit([
      {
        kind: 'put',
        id: '01900000-0000-7000-9000-00000000aaaa',
        before: null,
        after: author.fileState('after/all.txt', 'honest'),
      },
      ...author.objects('honest'),
    ])
    for (const [name, bytes] of author.files)
      if (!dav.files.has(storeRoot + name)) this.putObject(name, bytes)
    for (const name of dav.files.keys()) {
      const head = name.startsWith(`${storeRoot}version/`)
        ? parseHead(name.slice(storeRoot.length + 8))
        : null
      if (head !== null && head.hash !== author.head.hash) dav.files.delete(name)
    }
    // The deletion of half of the files may be what the chain says; a person is asked first.
    let summary = await this.syncBounded()
    if (summary.error?.code === 'deletion-guard') summary = await this.syncBounded({ force: true })
    this.judge(summary)
    this.expectContained(before)
    expectThat(
      bob.read('after/all.txt') === 'honest',
      `it does not go on: ${summary.outcome} ${summary.error?.code} ${summary.error?.message}`,
    )
    await this.syncBounded()
    const version = bob.version()
    await this.syncBounded()
    expectThat(bob.version() === version, 'it commits for ever')
  }

  /** The author takes in what the instance committed in the meantime. */
  private followStore(): void {
    const { author, dav } = this
    const newer: { readonly point: ChainPoint; readonly bytes: Uint8Array }[] = []
    for (let point = this.headOfStore(); point.version > author.head.version; ) {
      const bytes = dav.files.get(storeRoot + changesetName(point))
      if (bytes === undefined) throw new Broken(`version ${point.version} is in no object`)
      newer.unshift({ point, bytes })
      point = { version: point.version - 1, hash: decodeChangeset(point, bytes).header.parent }
    }
    for (const [name, bytes] of dav.files) author.files.set(name.slice(storeRoot.length), bytes)
    for (const { point, bytes } of newer) {
      try {
        author.follow(point, bytes)
      } catch (error) {
        if (!isDavitError(error)) throw error
        throw new Broken(`another instance refuses version ${point.version}: ${error.message}`)
      }
    }
  }

  private headOfStore(): ChainPoint {
    const heads = [...this.dav.files.keys()]
      .filter((name) => name.startsWith(`${storeRoot}version/`))
      .map((name) => parseHead(name.slice(storeRoot.length + 8)))
      .filter((head) => head !== null)
    return heads.length === 1 ? (heads[0] as ChainPoint) : emptyStorePoint
  }

  private surroundings(): string {
    const names = fs.readdirSync(this.base, { recursive: true, encoding: 'utf8' })
    const outside = names.filter((name) => name !== 'bob' && !name.startsWith('bob/'))
    const contents = ['canary.txt', 'bob/.davit/marker'].map((name) =>
      fs.readFileSync(path.join(this.base, name), 'utf8'),
    )
    return [...outside.sort(), ...contents].join(' ')
  }

  private stateFiles(): string[] {
    return fs.readdirSync(path.join(this.bob.root, '.davit'), { recursive: true, encoding: 'utf8' })
  }
}
