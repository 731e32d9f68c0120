import { expect, it } from 'vitest'
import type { Operation } from '../../../src/model/changeset.ts'
import type { Candidate } from '../../../src/model/conflict.ts'
import { changeConflict } from '../../../src/sync/change-conflict.ts'
import { conflict, fileId, hashOf, me, other } from '../../support/database-values.ts'

const at = { version: 9, time: '2026-11-21T00:00:00.000Z' }
const side = (instance: string, text: string): Candidate => ({
  instance,
  name: instance.slice(-4),
  hash: hashOf(text),
  size: text.length,
  at: at.time,
})
const open = conflict(1, fileId(1), { candidates: [side(me, 'mine'), side(other, 'theirs')] })

type Change = Extract<Operation, { readonly kind: 'conflict' }>

function change(changes: Partial<Change>): Change {
  const { id, fileId: file, aspect } = open
  const told = { path: 'renamed.md', conflict: 'create' as const, base: null }
  return { kind: 'conflict', id, fileId: file, aspect, ...told, add: [], remove: [], ...changes }
}

it('one that opens is as the operation says, at its version and time', () => {
  const base = { hash: hashOf('base'), size: 4 }
  expect(changeConflict(null, change({ base, add: [side(me, 'mine')] }), at)).toEqual({
    id: open.id,
    fileId: open.fileId,
    path: 'renamed.md',
    kind: 'create',
    aspect: 'content',
    base,
    candidates: [side(me, 'mine')],
    detectedAt: at.time,
    version: 9,
  })
})

it('one that is open keeps its path, kind, base and time, and takes the version', () => {
  const changed = changeConflict(open, change({ add: [side('third', 'x')] }), at)
  expect(changed).toEqual({ ...open, candidates: [...open.candidates, side('third', 'x')], version: 9 })
})

it('a candidate replaces the one of its instance, named or not', () => {
  const add = [side(me, 'newer')]
  const expected = [side(other, 'theirs'), side(me, 'newer')]
  const remove = [{ instance: me, hash: hashOf('mine') }]
  expect(changeConflict(open, change({ add }), at)?.candidates).toEqual(expected)
  expect(changeConflict(open, change({ add, remove }), at)?.candidates).toEqual(expected)
})

it('only what is named with its instance and its hash goes', () => {
  const remove = [
    { instance: me, hash: hashOf('theirs') },
    { instance: other, hash: hashOf('theirs') },
  ]
  expect(changeConflict(open, change({ remove }), at)?.candidates).toEqual([side(me, 'mine')])
})

it('without its last candidate it is none any more', () => {
  const remove = open.candidates.map(({ instance, hash }) => ({ instance, hash }))
  expect(changeConflict(open, change({ remove }), at)).toBeNull()
  expect(changeConflict(null, change({}), at)).toBeNull()
})
