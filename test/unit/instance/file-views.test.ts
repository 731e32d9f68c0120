import { describe, expect, it } from 'vitest'
import { fileView, isoOf, revisionOf } from '../../../src/instance/file-views.ts'
import type { FileState, LocalFile, RemoteFile } from '../../../src/model/file-state.ts'
import {
  conflict,
  fileId,
  hashOf,
  local,
  me,
  openTestDatabase,
  remote,
  state,
  tombstone,
} from '../../support/database-values.ts'

const id = fileId(1)
const plain = state('a.md', 'text', { metadata: { title: 'A', labels: ['x'] } })

describe('the revision', () => {
  it.each<[string, Partial<FileState>]>([
    ['path', { path: 'b.md' }],
    ['kind', { kind: 'folder' }],
    ['size', { size: 5 }],
    ['content', { hash: hashOf('other') }],
    ['mode', { executable: true }],
    ['metadata', { metadata: { title: 'B', labels: ['x'] } }],
    ['order of a list in the metadata', { metadata: { title: 'A', labels: ['x', 'y'] } }],
  ])('changes with the %s', (_aspect, change) => {
    expect(revisionOf({ ...plain, ...change })).not.toBe(revisionOf(plain))
  })

  it('does not depend on the order of fields or on the modification time', () => {
    const same = { ...plain, mtimeUs: 1, metadata: { labels: ['x'], title: 'A' } }
    expect(revisionOf(same)).toBe(revisionOf(plain))
    expect(revisionOf(plain)).toMatch(/^[0-9a-f]{16}$/)
  })
})

it.each([
  [0, '1970-01-01T00:00:00.000Z'],
  [1_790_000_000_123_999, '2026-09-21T14:13:20.123Z'],
  [-1, '1969-12-31T23:59:59.999Z'],
  [Number.MAX_SAFE_INTEGER, '2255-06-05T23:47:34.740Z'],
  [1e21, '+275760-09-13T00:00:00.000Z'],
  [-1e21, '-271821-04-20T00:00:00.000Z'],
])('%d microseconds are %s', (mtimeUs, text) => {
  expect(isoOf(mtimeUs)).toBe(text)
})

describe('a file', () => {
  /** The view of a file as it stands in the three trees. */
  function viewOf(trees: {
    readonly local?: LocalFile
    readonly synced?: FileState
    readonly remote?: RemoteFile
    readonly inConflict?: boolean
  }) {
    const database = openTestDatabase()
    database.transaction(() => {
      if (trees.local !== undefined) database.trees.putLocal(trees.local)
      if (trees.synced !== undefined) database.trees.putSynced(id, trees.synced)
      if (trees.remote !== undefined) database.trees.putRemote(trees.remote)
      if (trees.inConflict) database.conflicts.put(conflict(1, id))
    })
    return fileView(database, database.trees.triple(id), me)
  }

  it('that all trees agree on is shown with everything it has', () => {
    expect(viewOf({ local: local(id, plain), synced: plain, remote: remote(id, plain) })).toEqual({
      id,
      path: 'a.md',
      kind: 'file',
      size: 4,
      hash: hashOf('text'),
      mode: 0o644,
      mtime: '2026-09-21T14:13:20.123Z',
      metadata: { title: 'A', labels: ['x'] },
      status: 'synced',
      revision: revisionOf(plain),
      deletedAt: null,
    })
  })

  it('that nobody has is not shown', () => {
    expect(viewOf({})).toBeNull()
  })

  it('that can be run has the mode for it', () => {
    expect(viewOf({ remote: remote(id, { ...plain, executable: true }) })?.mode).toBe(0o755)
  })

  it('is shown as it stands in the workspace', () => {
    const edited = state('a.md', 'edited')
    expect(viewOf({ local: local(id, edited), synced: plain, remote: remote(id, plain) })).toMatchObject({
      hash: edited.hash,
      status: 'pending',
    })
  })

  it('that is not looked for on disk is shown as it stands in the store', () => {
    const renamed = state('other name.md', 'text')
    const absent = local(id, plain, { absence: 'unrepresentable' })
    expect(viewOf({ local: absent, synced: plain, remote: remote(id, renamed) })).toMatchObject({
      path: 'other name.md',
      status: 'problem',
    })
  })

  it('in conflict says so, whatever else it is', () => {
    const trees = { local: local(id, plain), synced: plain, remote: remote(id, plain) }
    expect(viewOf({ ...trees, inConflict: true })?.status).toBe('conflict')
  })

  it('that was deleted tells when', () => {
    expect(viewOf({ remote: tombstone(id, plain) })).toMatchObject({
      path: 'a.md',
      status: 'synced',
      deletedAt: '2026-11-20T12:00:00.000Z',
    })
  })

  it('that was deleted elsewhere and is still here has not gone', () => {
    expect(viewOf({ local: local(id, plain), synced: plain, remote: tombstone(id, plain) })).toMatchObject({
      status: 'pending',
      deletedAt: null,
    })
  })
})
