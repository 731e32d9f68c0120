import { expect, it } from 'vitest'
import type { FileState } from '../../../src/model/file-state.ts'
import { changedPart, putOperation } from '../../../src/sync/put-operation.ts'
import { fileId, hashOf, state } from '../../support/database-values.ts'

const from = state('a.md', 'text', { metadata: { title: 'A' } })

it.each<[string, Partial<FileState>, Partial<FileState>]>([
  ['nothing', {}, {}],
  ['the path', { path: 'b.md' }, { path: 'a.md' }],
  ['the content', { hash: hashOf('other'), size: 5 }, { hash: from.hash, size: 4 }],
  ['a content of the same size', { hash: hashOf('tex2') }, { hash: from.hash, size: 4 }],
  ['the mode', { executable: true }, { executable: false }],
  ['the modification time', { mtimeUs: 1 }, { mtimeUs: from.mtimeUs }],
  ['a field', { metadata: { title: 'B' } }, { metadata: { title: 'A' } }],
  ['a field that comes', { metadata: { title: 'A', x: 1 } }, { metadata: { title: 'A' } }],
  ['a field that goes', { metadata: {} }, { metadata: { title: 'A' } }],
  [
    'a file that becomes a folder',
    { kind: 'folder', hash: null, size: 0 },
    { kind: 'file', hash: from.hash, size: 4 },
  ],
])('%s: the fields that change are kept with the values they had', (_what, change, before) => {
  const to = { ...from, ...change }
  expect(changedPart(from, to)).toEqual(before)
  expect({ ...to, ...changedPart(from, to) }).toEqual(from)
})

it('a file that was not there has nothing before', () => {
  expect(putOperation(fileId(1), null, from)).toEqual({
    kind: 'put',
    id: fileId(1),
    before: null,
    after: from,
  })
})

it('a file that was there has what changes before, and its whole state after', () => {
  const after = { ...from, path: 'b.md' }
  expect(putOperation(fileId(1), from, after)).toMatchObject({ before: { path: 'a.md' }, after })
})
