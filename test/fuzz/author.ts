/**
 * Somebody with write access to a store: an index that follows the chain, so that whatever is committed next gets the
 * right parent, ancestors and digest, and a hash that fits its bytes. Everything is made from fixed ids and times.
 */
import { gzipSync } from 'node:zlib'
import type { Database } from '../../src/database/database.ts'
import { openDatabase } from '../../src/database/open-database.ts'
import {
  type ChainPoint,
  type ChangesetHeader,
  emptyStorePoint,
  type Operation,
} from '../../src/model/changeset.ts'
import type { Random } from '../../src/model/clock.ts'
import type { FileState } from '../../src/model/file-state.ts'
import { ancestorsMax } from '../../src/model/limits.ts'
import { decodeChangeset, encodeChangeset } from '../../src/remote/changeset-format.ts'
import { changesetName, contentName, headContent, headName } from '../../src/remote/layout.ts'
import { applyChangeset } from '../../src/sync/apply-changeset.ts'
import { digestAfter } from '../../src/sync/state-changes.ts'
import { replicaSet, sha256Of } from '../support/changesets.ts'
import { createSeededRandom } from '../support/virtual-clock.ts'

export const authorId = '01900000-0000-7000-8000-00000000000a'
export const otherId = '01900000-0000-7000-8000-00000000000b'

export function fileId(number: number): string {
  return `01900000-0000-7000-9000-${String(number).padStart(12, '0')}`
}

/** The files of the store at its newest version: number of the id → path and content. */
export const storedFiles: readonly (readonly [number: number, path: string, content: string])[] = [
  [1, 'a.txt', 'first line\nsecond line\n'],
  [2, 'b/c.txt', 'the committed side'],
  [3, 'b/moved.txt', 'moved'],
  [4, 'd/e/f.md', '# heading'],
]

export const candidate = {
  instance: otherId,
  name: 'other',
  hash: sha256Of(Buffer.from('the other side')),
  size: 14,
  at: '2026-01-02T03:04:05.678Z',
} as const

export const conflictId = 'c'.repeat(32)

export class Author {
  readonly database: Database
  /** Names below the root → bytes. */
  readonly files = new Map<string, Uint8Array>()
  readonly points: ChainPoint[] = []
  private readonly random: Random = createSeededRandom(11)

  constructor() {
    this.database = openDatabase({ file: ':memory:', instance: () => authorId })
    this.database.chain.reset({
      replicaSet: null,
      point: emptyStorePoint,
      digest: '0'.repeat(64),
      checkpoint: null,
      chain: [],
    })
    this.files.set(headName(emptyStorePoint), headContent)
  }

  /** The store that most objects are put into: files, a folder, metadata, a tombstone, an open conflict, a notice. */
  static ofSmallStore(): Author {
    const author = new Author()
    const state = (number: number): FileState => {
      const [, path, content] = storedFiles[number - 1] as (typeof storedFiles)[number]
      return author.fileState(path, content)
    }
    const old = author.fileState('old.txt', 'deleted since')
    const folder: FileState = { ...old, path: 'empty', kind: 'folder', size: 0, hash: null, mtimeUs: 0 }
    author.commit([
      ...[1, 2, 4].map((number) => put(number, state(number))),
      put(3, { ...state(3), path: 'there.txt' }),
      put(5, old),
      put(6, folder),
      ...author.objects(
        'first line\nsecond line\n',
        'the committed side',
        'moved',
        '# heading',
        'deleted since',
      ),
    ])
    author.commit([
      { kind: 'put', id: fileId(3), before: { path: 'there.txt' }, after: state(3) },
      {
        kind: 'put',
        id: fileId(4),
        before: { metadata: {} },
        after: { ...state(4), metadata: { labels: ['x'], n: 1 } },
      },
      { kind: 'delete', id: fileId(5), before: old },
    ])
    author.commit([
      {
        kind: 'conflict',
        id: conflictId,
        fileId: fileId(2),
        path: 'b/c.txt',
        conflict: 'edit',
        aspect: 'content',
        base: null,
        add: [candidate],
        remove: [],
      },
      { kind: 'notice', fileId: fileId(4), path: 'd/e/f.md', rule: 'R6-edit-wins', detail: 'kept' },
      ...author.objects('the other side'),
    ])
    return author
  }

  get head(): ChainPoint {
    return this.points.at(-1) ?? emptyStorePoint
  }

  fileState(path: string, content: string): FileState {
    return {
      path,
      kind: 'file',
      size: Buffer.byteLength(content),
      hash: sha256Of(Buffer.from(content)),
      executable: false,
      mtimeUs: 1_700_000_000_000_000,
      metadata: {},
    }
  }

  /** Puts contents into the store, and says so as operations. */
  objects(...contents: readonly string[]): Operation[] {
    return contents.map((content) => {
      const bytes = Buffer.from(content)
      const hash = sha256Of(bytes)
      const name = contentName(hash, this.random.hex(12))
      this.files.set(name, bytes)
      return { kind: 'object', hash, size: bytes.length, name, before: null }
    })
  }

  /** The header that follows, with the digest of what the operations lead to as far as that can be told. */
  header(operations: readonly Operation[], change: Partial<ChangesetHeader> = {}): ChangesetHeader {
    const { head } = this
    const version = head.version + 1
    const at = change.at ?? '2026-01-02T03:04:05.678Z'
    const ancestors = this.points.slice(-ancestorsMax).reverse()
    return {
      format: 1,
      version,
      parent: head.hash,
      replicaSet,
      instance: { id: authorId, name: 'author', incarnation: 'i1' },
      nonce: sha256Of(Buffer.from(`${version} ${head.hash}`)).slice(0, 32),
      at,
      operations: operations.length,
      ancestors: ancestors.map((point) => point.hash),
      adopts: [],
      digest: change.digest ?? this.digestAfter(operations, at),
      checkpoint: this.database.chain.checkpoint(),
      ...change,
    }
  }

  /** Operations of any shape: where they make no state at all, the digest is as good as any. */
  digestAfter(operations: readonly Operation[], time: string): string {
    try {
      return digestAfter(this.database, operations, { version: this.head.version + 1, time })
    } catch {
      return 'd'.repeat(64)
    }
  }

  /** Commits as an honest instance does. */
  commit(operations: readonly Operation[], change: Partial<ChangesetHeader> = {}): void {
    const { point, bytes } = encodeChangeset(this.header(operations, change), operations)
    this.publish(point, bytes)
    this.follow(point, bytes)
  }

  /** Writes stored bytes under the name that fits them and makes them the head. */
  publish(point: ChainPoint, bytes: Uint8Array, parent = this.head): void {
    this.files.set(changesetName(point), bytes)
    this.files.delete(headName(parent))
    this.files.set(headName(point), headContent)
  }

  /** Takes what was published, or committed by others meanwhile, into the own index. */
  follow(point: ChainPoint, bytes: Uint8Array): void {
    applyChangeset(this.database, decodeChangeset(point, bytes), { instance: authorId, own: false })
    this.points.push(point)
  }
}

export function put(number: number, after: FileState): Operation {
  return { kind: 'put', id: fileId(number), before: null, after }
}

/** Lines of a changeset as it would be stored, with the name that fits them. */
export function sign(
  plain: Uint8Array,
  version: number,
): { readonly point: ChainPoint; readonly bytes: Uint8Array } {
  // Level 1: how well it is compressed is of no concern here.
  const bytes = gzipSync(plain, { level: 1 })
  return { point: { version, hash: sha256Of(bytes) }, bytes }
}
