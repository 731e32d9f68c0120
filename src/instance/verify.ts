/** Whether index, workspace and store agree; each discrepancy is told, none is mended unless asked. */
import type { ChainPoint, Operation } from '../model/changeset.ts'
import type { Conflict, ConflictId } from '../model/conflict.ts'
import { liveState } from '../model/dirtiness.ts'
import { DavitError, isDavitError } from '../model/errors.ts'
import type { ContentHash, FilePath } from '../model/file-state.ts'
import { runRoundsMax } from '../model/limits.ts'
import { commitOperations } from '../sync/commit.ts'
import { breathe, type SyncContext } from '../sync/context.ts'
import { pull } from '../sync/pull.ts'
import type { Discrepancy, VerifyReport } from './instance.ts'

export interface VerifyOptions {
  readonly deep?: boolean
  readonly repair?: boolean
  readonly signal?: AbortSignal
  readonly onProgress?: (done: number, total: number) => void
}

/** Discrepancies told one by one; beyond that they are only counted in the last one. */
const discrepanciesMax = 10_000
const checksAtOnce = 8

/** While no run is under way. */
export async function verify(context: SyncContext, options: VerifyOptions): Promise<VerifyReport> {
  return new Verification(context, options).run()
}

/** A content that the newest version counts on. */
interface NamedContent {
  readonly path: FilePath
  readonly hash: ContentHash
  readonly size: number
}

/** The contents from which a person is to choose, and the one that they were made from. */
function sidesOf({ path, aspect, base, candidates }: Conflict): NamedContent[] {
  if (aspect !== 'content') return []
  return [...candidates, ...(base === null ? [] : [base])].map(({ hash, size }) => ({ path, hash, size }))
}

class Verification {
  private readonly context: SyncContext
  private readonly options: VerifyOptions
  private readonly discrepancies: Discrepancy[] = []
  private omitted = 0
  private files = 0
  private contents = 0
  private bytes = 0
  private repaired = 0
  private readonly damaged: { readonly hash: ContentHash; readonly size: number; readonly name: string }[] =
    []
  private readonly lostChangesets: ChainPoint[] = []

  constructor(context: SyncContext, options: VerifyOptions) {
    this.context = context
    this.options = options
  }

  async run(): Promise<VerifyReport> {
    for (const { detail, path } of this.context.database.verify())
      this.tell({ path: path ?? '', code: 'index', detail })
    await this.checkWorkspace()
    let unreachable = false
    try {
      await this.checkStore()
      if (this.options.repair === true) await this.repair()
    } catch (error) {
      if (!isDavitError(error) || error.action !== 'retry') throw error
      unreachable = true
    }
    if (this.omitted > 0) {
      this.discrepancies.push({ path: '', code: 'more', detail: `and ${this.omitted} more` })
    }
    return {
      checked: { files: this.files, contents: this.contents, bytes: this.bytes },
      discrepancies: this.discrepancies,
      repaired: this.repaired,
      unreachable,
    }
  }

  private tell(discrepancy: Discrepancy): void {
    if (this.discrepancies.length < discrepanciesMax) this.discrepancies.push(discrepancy)
    else this.omitted += 1
  }

  /** Index against workspace: every file is there as it was last seen, and nothing else is. */
  private async checkWorkspace(): Promise<void> {
    const { workspace, database } = this.context
    const total = database.trees.counts().localFiles
    const seen = new Set<FilePath>()
    for await (const batch of workspace.scan({
      under: '',
      ...(this.options.signal === undefined ? {} : { signal: this.options.signal }),
    })) {
      for (const entry of batch.entries) {
        if (entry.kind === 'unknown' && entry.why === 'link') continue
        if (entry.kind === 'unknown') {
          this.tell({ path: entry.path, code: 'unreadable', detail: 'it cannot be read' })
          continue
        }
        seen.add(entry.path)
        // With an entry of its own or without: what is ignored in it decides nothing.
        if (entry.kind === 'folder' && entry.holdsIgnored === true) continue
        this.files += 1
        const row = database.trees.localAt(entry.path)
        if (row === null || row.absence !== null) {
          this.tell({
            path: entry.path,
            code: 'not-indexed',
            detail: 'it is in the workspace and not in the index',
          })
        } else if (
          entry.kind === 'file' &&
          (row.stamp?.size !== entry.stamp.size || row.stamp.mtimeMs !== entry.stamp.mtimeMs)
        ) {
          this.tell({
            path: entry.path,
            code: 'changed',
            detail: 'it has changed since it was last looked at',
          })
        } else if (entry.kind === 'file' && this.options.deep === true) {
          await this.checkHash(entry.path, row.state.hash)
        }
        if (this.files % 500 === 0) this.options.onProgress?.(this.files, total)
      }
      await breathe()
    }
    for (let after: FilePath | undefined; ; ) {
      const page = database.trees.localPage({ limit: 2_000, ...(after === undefined ? {} : { after }) })
      for (const row of page) {
        if (row.absence === null && !seen.has(row.state.path)) {
          this.tell({
            path: row.state.path,
            code: 'missing',
            detail: 'it is in the index and not in the workspace',
          })
        }
      }
      after = page.at(-1)?.state.path
      if (page.length < 2_000) return
      await breathe()
    }
  }

  private async checkHash(path: FilePath, expected: ContentHash | null): Promise<void> {
    try {
      const found = await this.context.workspace.hash(path, this.options.signal)
      this.bytes += found.stamp.size
      if (found.hash !== expected) {
        this.tell({ path, code: 'content', detail: 'its content is not the one that the index knows' })
      }
    } catch (error) {
      if (!isDavitError(error, 'file-busy', 'file-changed', 'file-unreadable')) throw error
      this.tell({ path, code: error.code, detail: error.message })
    }
  }

  /** Index against store: the head is in the chain that is known, and every content that is named is there. */
  private async checkStore(): Promise<void> {
    const { remote, database } = this.context
    const point = database.chain.point()
    if (point === null) {
      this.tell({ path: '', code: 'not-joined', detail: 'no store was joined yet' })
      return
    }
    const listing = await remote.listHeads()
    if (listing.kind !== 'one') {
      this.tell({ path: 'version/', code: 'head', detail: `the store's head is ${listing.kind}` })
      return
    }
    if (listing.head.hash !== point.hash && !(await this.isAhead(point, listing.head))) return
    if (this.options.deep === true) await this.checkChangesets(point)
    await this.checkContents()
  }

  /** Whether the head descends from what is known here. */
  private async isAhead(known: ChainPoint, head: ChainPoint): Promise<boolean> {
    const { remote, database } = this.context
    try {
      const reading = await remote.readChain(known, head, (version) => database.chain.hashAt(version))
      if (reading.kind === 'diverges') {
        this.tell({ path: 'version/', code: 'chain', detail: 'the store was rolled back or replaced' })
        return false
      }
      const detail = `this instance is ${reading.count} versions behind`
      this.tell({ path: 'version/', code: 'behind', detail })
    } catch (error) {
      if (!isDavitError(error, 'remote-damaged')) throw error
      const hint = 'The instance that made it can send it again: run `davit verify --deep --repair` there.'
      this.tell({ path: 'changes/', code: 'changeset-damaged', detail: `${error.message}. ${hint}` })
    }
    return true
  }

  /** Those that are kept here: without one of them nobody who is behind it, or joins, gets any further. */
  private async checkChangesets(head: ChainPoint): Promise<void> {
    const { remote, database } = this.context
    for (let { version } = head; version > 0; version--) {
      this.options.signal?.throwIfAborted()
      const [hash, bytes] = [database.chain.hashAt(version), database.chain.bytesAt(version)]
      if (hash === null || bytes === null) return
      this.bytes += bytes.length
      if (await remote.hasChangeset({ version, hash })) continue
      const detail = `changeset ${version} in the store is missing or wrong`
      this.tell({ path: 'changes/', code: 'changeset-damaged', detail })
      this.lostChangesets.push({ version, hash })
    }
  }

  private async checkContents(): Promise<void> {
    const { database } = this.context
    const total = database.trees.counts().remoteFiles
    const checked = new Set<ContentHash>()
    const check = async (contents: readonly NamedContent[]) => {
      const wanted = contents.filter(({ hash }) => !checked.has(hash) && checked.add(hash))
      for (let start = 0; start < wanted.length; start += checksAtOnce) {
        this.options.signal?.throwIfAborted()
        await Promise.all(wanted.slice(start, start + checksAtOnce).map((each) => this.checkContent(each)))
      }
    }
    let done = 0
    for (let after: FilePath | undefined; ; ) {
      const page = database.trees.remotePage({ limit: 1_000, ...(after === undefined ? {} : { after }) })
      const live = page.filter(({ deletedVersion }) => deletedVersion === null)
      await check(
        live.flatMap(({ state: { path, hash, size } }) => (hash === null ? [] : [{ path, hash, size }])),
      )
      done += page.length
      this.options.onProgress?.(done, total)
      after = page.at(-1)?.state.path
      if (page.length < 1_000) break
    }
    for (let after: ConflictId | undefined; ; ) {
      const page = database.conflicts.page({ limit: 1_000, ...(after === undefined ? {} : { after }) })
      await check(page.flatMap(sidesOf))
      after = page.at(-1)?.id
      if (page.length < 1_000) return
    }
  }

  private async checkContent({ path, hash, size }: NamedContent): Promise<void> {
    this.contents += 1
    const row = this.context.database.contents.find(hash)
    if (row === null) {
      this.tell({ path, code: 'content-unknown', detail: 'the store does not say where its content lies' })
      this.damaged.push({ hash, size, name: '' })
      return
    }
    if (this.options.deep !== true) {
      if (await this.context.remote.hasContent(row.name, row.size)) return
    } else {
      try {
        await this.context.remote.readContent(
          row.name,
          { hash: row.hash, size: row.size },
          { write: () => {}, restart: () => {} },
          this.options.signal,
        )
        this.bytes += row.size
        return
      } catch (error) {
        if (!isDavitError(error, 'remote-damaged')) throw error
      }
    }
    this.tell({
      path,
      code: 'content-damaged',
      detail: `its content in the store (${row.name}) is missing or wrong`,
    })
    this.damaged.push(row)
  }

  /** What the store lost and is still here is sent again: changesets as they were, contents under new names. */
  private async repair(): Promise<void> {
    for (const point of this.lostChangesets) {
      const bytes = this.context.database.chain.bytesAt(point.version)
      if (bytes === null) continue
      await this.context.remote.writeChangeset(point, bytes)
      this.repaired += 1
    }
    const sent: { readonly hash: ContentHash; readonly size: number; readonly object: string }[] = []
    for (const { hash, size } of this.damaged) {
      const file = this.findHere(hash)
      if (file === null || file.stamp === null) continue
      const source = this.context.workspace.source(file.state.path, file.stamp)
      const object = await this.context.remote.writeContent(hash, source, this.options.signal)
      sent.push({ hash, size, object })
    }
    for (let start = 0; start < sent.length; start += 1_000) await this.name(sent.slice(start, start + 1_000))
  }

  /** Commits where contents lie now, upon whatever others commit meanwhile. */
  private async name(
    sent: readonly { readonly hash: ContentHash; readonly size: number; readonly object: string }[],
  ): Promise<void> {
    const { context } = this
    const named = new Map(this.damaged.map(({ hash, name }) => [hash, name]))
    const { signal } = this.options
    for (let round = 0; round < runRoundsMax; round++) {
      await pull(context, { list: true, ...(signal === undefined ? {} : { signal }) })
      const operations = sent.flatMap(({ hash, size, object }): Operation[] => {
        const before = context.database.contents.find(hash)?.name ?? ''
        // Somebody else was quicker.
        if (before !== named.get(hash)) return []
        return [{ kind: 'object', hash, size, name: object, before: before === '' ? null : before }]
      })
      if (operations.length === 0) return
      const result = await commitOperations(context, operations, signal)
      if (result.kind === 'won') {
        this.repaired += operations.length
        return
      }
      await context.clock.sleep(25 + context.random.fraction() * 100 * (round + 1), signal)
    }
    throw new DavitError('remote-busy', 'others commit faster than this repair could', { action: 'retry' })
  }

  private findHere(hash: ContentHash) {
    const { trees } = this.context.database
    for (let after: FilePath | undefined; ; ) {
      const page = trees.localPage({ limit: 2_000, ...(after === undefined ? {} : { after }) })
      const found = page.find(
        (row) => row.state.hash === hash && row.stamp !== null && liveState(trees.triple(row.id)) !== null,
      )
      if (found !== undefined) return found
      after = page.at(-1)?.state.path
      if (page.length < 2_000) return null
    }
  }
}
