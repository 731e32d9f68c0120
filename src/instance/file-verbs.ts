/** What the API does to files: in the workspace, as a person with an editor would, and in the index for metadata. */
import { liveState } from '../model/dirtiness.ts'
import { DavitError } from '../model/errors.ts'
import type { FileId, FilePath, FileTriple, LocalFile, Metadata } from '../model/file-state.ts'
import { canonicalJson, type JsonObject, unsafeJsonReason } from '../model/json.ts'
import { metadataBytesMax, pageRowsMax } from '../model/limits.ts'
import { unsafePathReason } from '../model/path.ts'
import type { SyncContext } from '../sync/context.ts'
import type { Engine } from '../sync/engine.ts'
import { fileView, revisionOf, shownState } from './file-views.ts'
import type { FileContent, FileFilter, FileView, Page } from './instance.ts'
import { mergePatch } from './merge-patch.ts'

const placeTriesMax = 3

const fileIdPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export class FileVerbs {
  private readonly context: SyncContext
  private readonly engine: Engine

  constructor(context: SyncContext, engine: Engine) {
    this.context = context
    this.engine = engine
  }

  list(filter: FileFilter): Page<FileView> {
    const limit = Math.min(filter.limit ?? 100, pageRowsMax)
    const { cursor, limit: _limit, ...query } = filter
    const triples = this.context.database.trees.listFiles({
      ...query,
      ...(cursor === undefined ? {} : { after: Buffer.from(cursor, 'base64url').toString('utf8') }),
      limit: limit + 1,
    })
    const items = triples.slice(0, limit).flatMap((triple) => this.viewOf(triple) ?? [])
    const last = items.at(-1)
    const hasMore = triples.length > limit && last !== undefined
    return { items, nextCursor: hasMore ? Buffer.from(last.path).toString('base64url') : null }
  }

  get(id: FileId): FileView {
    return this.viewOf(this.tripleOf(id)) ?? notFound(id)
  }

  at(path: FilePath): FileView {
    const { trees } = this.context.database
    const id = trees.localAt(path)?.id ?? trees.remoteAt(path)?.id
    if (id === undefined)
      throw new DavitError('not-found', `there is no file '${path}'`, { action: 'give-up' })
    return this.get(id)
  }

  async content(id: FileId): Promise<FileContent> {
    const triple = this.tripleOf(id)
    const state = shownState(triple)
    if (state === null || state.kind !== 'file' || state.hash === null) return notFound(id)
    const { local } = triple
    if (local !== null && local.stamp !== null && local.state.kind === 'file') {
      const source = this.context.workspace.source(local.state.path, local.stamp)
      return { path: state.path, size: state.size, hash: state.hash, stream: source.open() }
    }
    const row = this.context.database.contents.find(state.hash)
    if (row === null || liveState(triple) === null) return notFound(id)
    return { path: state.path, size: state.size, hash: state.hash, stream: this.download(row, state.hash) }
  }

  /** Through a staged file: nothing is handed out before its hash was verified. */
  private async *download(
    row: { readonly name: string; readonly size: number },
    hash: string,
  ): AsyncGenerator<Uint8Array> {
    const staged = await this.context.workspace.stage(row.size)
    try {
      await this.context.remote.readContent(row.name, { hash, size: row.size }, staged.sink)
      await staged.finish({ durable: false })
      yield* (await staged.reread()).open()
    } finally {
      await staged.discard()
    }
  }

  async put(
    path: FilePath,
    content: AsyncIterable<Uint8Array>,
    options: { readonly ifMatch?: string },
  ): Promise<{ readonly file: FileView; readonly created: boolean }> {
    this.requireUsable(path)
    const { workspace } = this.context
    const staged = await workspace.stage(0)
    try {
      for await (const chunk of content) await staged.sink.write(chunk)
      await staged.finish({ durable: true })
      return await this.engine.exclusively(async () => {
        let created = true
        for (let attempt = 1; ; attempt++) {
          await this.look(path)
          const here = this.context.database.trees.localAt(path)
          created = here === null
          this.requireMatch(here, options.ifMatch)
          const result = await workspace.place(staged, path, {
            expected: here?.stamp ?? null,
            attributes: {
              executable: here?.state.executable ?? false,
              mtimeUs: Math.round(this.context.clock.now() * 1000),
            },
            old: 'trash',
            durable: true,
          })
          if (result.kind === 'done') break
          if (result.kind === 'blocked') throw badPath(path, `a file stands at '${result.path}'`)
          if (result.kind === 'unrepresentable') throw badPath(path, result.detail)
          if (attempt === placeTriesMax) throw busy(path)
        }
        await this.look(path)
        const row = this.context.database.trees.localAt(path)
        if (row === null) throw busy(path)
        return { file: this.get(row.id), created }
      })
    } finally {
      await staged.discard()
    }
  }

  async delete(id: FileId, options: { readonly ifMatch?: string }): Promise<FileView> {
    return this.engine.exclusively(async () => {
      const row = await this.localOf(id, options.ifMatch)
      const view = this.get(id)
      if (row.state.kind === 'folder') await this.context.workspace.removeFolder(row.state.path)
      else {
        const result = await this.context.workspace.remove(row.state.path, {
          expected: row.stamp,
          old: 'trash',
        })
        if (result.kind === 'changed') throw busy(row.state.path)
      }
      await this.context.workspace.makeDurable()
      await this.look(row.state.path)
      return { ...view, status: 'pending', deletedAt: new Date(this.context.clock.now()).toISOString() }
    })
  }

  async move(id: FileId, path: FilePath, options: { readonly ifMatch?: string }): Promise<FileView> {
    this.requireUsable(path)
    return this.engine.exclusively(async () => {
      const row = await this.localOf(id, options.ifMatch)
      if (row.state.path === path) return this.get(id)
      const result = await this.context.workspace.move(row.state.path, path, row.stamp)
      if (result.kind === 'blocked') throw badPath(path, `a file stands at '${result.path}'`)
      if (result.kind === 'unrepresentable') throw badPath(path, result.detail)
      if (result.kind === 'changed') {
        if ((await this.context.workspace.look(path)) !== null) {
          throw new DavitError('precondition-failed', `'${path}' is taken`, {
            action: 'give-up',
            hint: 'Choose another path.',
          })
        }
        throw busy(row.state.path)
      }
      await this.context.workspace.makeDurable()
      await this.look(row.state.path, path)
      return this.get(id)
    })
  }

  async patchMetadata(
    id: FileId,
    patch: JsonObject,
    options: { readonly ifMatch?: string },
  ): Promise<FileView> {
    return this.engine.exclusively(async () => {
      const row = this.tripleOf(id).local
      if (row === null || row.absence !== null) throw notHere(id)
      this.requireMatch(row, options.ifMatch)
      const metadata = mergePatch(row.state.metadata, patch) as Metadata
      // It is nested some levels deeper in a changeset.
      const reason = unsafeJsonReason(metadata, 4)
      if (reason !== null) {
        throw new DavitError('bad-request', `the metadata cannot be taken: ${reason}`, { action: 'give-up' })
      }
      if (Buffer.byteLength(canonicalJson(metadata)) > metadataBytesMax) {
        throw new DavitError(
          'bad-request',
          `the metadata of one file may take ${metadataBytesMax} bytes of JSON`,
          { action: 'give-up' },
        )
      }
      this.context.database.transaction(() =>
        this.context.database.trees.putLocal({ ...row, state: { ...row.state, metadata } }),
      )
      this.engine.noteWork()
      return this.get(id)
    })
  }

  private viewOf(triple: FileTriple): FileView | null {
    return fileView(this.context.database, triple, this.context.instance().id)
  }

  private tripleOf(id: FileId): FileTriple {
    // What has not the form of an id is the id of no file; the database would take it for our own mistake.
    if (!fileIdPattern.test(id)) return notFound(id)
    const triple = this.context.database.trees.triple(id)
    if (shownState(triple) === null) return notFound(id)
    return triple
  }

  /** The file as it stands on the disk at this moment. */
  private async localOf(
    id: FileId,
    ifMatch: string | undefined,
  ): Promise<LocalFile & { readonly stamp: NonNullable<LocalFile['stamp']> }> {
    const before = this.tripleOf(id).local
    if (before === null) throw notHere(id)
    await this.look(before.state.path)
    const row = this.tripleOf(id).local
    if (row === null || row.stamp === null) throw notHere(id)
    this.requireMatch(row, ifMatch)
    return { ...row, stamp: row.stamp }
  }

  private async look(...paths: FilePath[]): Promise<void> {
    await this.engine.indexPaths(paths)
    this.engine.noteWork()
  }

  private requireMatch(row: LocalFile | null, ifMatch: string | undefined): void {
    if (ifMatch === undefined) return
    const isMatch = ifMatch === '*' ? row !== null : row !== null && revisionOf(row.state) === ifMatch
    if (isMatch) return
    throw new DavitError('precondition-failed', 'the file is not the one that If-Match names', {
      action: 'give-up',
      hint: 'Read it again and decide anew.',
    })
  }

  private requireUsable(path: FilePath): void {
    const reason = unsafePathReason(path)
    if (reason !== null) throw badPath(path, reason)
    if (this.context.workspace.isIgnored(path)) throw badPath(path, 'an ignore rule covers it')
  }
}

function badPath(path: FilePath, reason: string): DavitError {
  return new DavitError('bad-request', `'${path}' cannot be used: ${reason}`, { action: 'give-up' })
}

function busy(path: FilePath): DavitError {
  return new DavitError('precondition-failed', `'${path}' is being changed by somebody else`, {
    action: 'retry',
    hint: 'Read it again and decide anew.',
  })
}

function notFound(id: FileId): never {
  throw new DavitError('not-found', `there is no file ${id}`, { action: 'give-up' })
}

function notHere(id: FileId): DavitError {
  return new DavitError('precondition-failed', `file ${id} is not in this workspace now`, {
    action: 'retry',
    hint: 'It may be on its way; try again after the next run.',
  })
}
