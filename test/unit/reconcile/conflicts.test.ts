import { describe, expect, it } from 'vitest'
import type { ConflictPolicy } from '../../../src/model/conflict.ts'
import { conflictId, valueContent } from '../../../src/reconcile/conflict-id.ts'
import { reconcile } from '../../../src/reconcile/reconcile.ts'
import {
  candidate,
  contentConflict,
  fieldCandidate,
  fieldConflict,
  file,
  fileId,
  hashOf,
  input,
  otherId,
  ownId,
} from '../../support/three-trees.ts'

const base = file('dir/a.txt', 'base')
const mine = file('dir/a.txt', 'mine', { mtimeUs: 2_000 })
const theirs = file('dir/a.txt', 'theirs', { mtimeUs: 3_000 })

describe('two edits of one content', () => {
  it('open a conflict with the own content as candidate, and each side keeps its bytes', () => {
    const decision = reconcile(input({ local: mine, synced: base, remote: theirs }))
    expect(decision).toMatchObject({
      rules: ['R11-content-conflict'],
      local: mine,
      remote: theirs,
      synced: theirs,
    })
    const id = conflictId({ fileId, path: 'x', kind: 'edit', aspect: 'content', base: base.hash })
    expect(decision.conflicts).toEqual([
      {
        change: 'open',
        id,
        kind: 'edit',
        aspect: 'content',
        base: { hash: base.hash, size: 4 },
        own: { hash: mine.hash, size: 4 },
        replaces: null,
      },
    ])
  })

  it('of files created at one path have no base, and their id comes from the path', () => {
    const decision = reconcile(input({ local: mine, remote: theirs }))
    const id = conflictId({ fileId: otherId, path: base.path, kind: 'create', aspect: 'content', base: null })
    expect(decision.conflicts).toMatchObject([{ change: 'open', kind: 'create', id, base: null }])
  })

  it('stay as they are while the own candidate is held, and everything else merges', () => {
    const conflicts = [contentConflict([candidate(ownId, 'mine')])]
    const moved = { ...mine, path: 'dir/b.txt' }
    const relabelled = { ...theirs, metadata: { labels: ['new'] } }
    const decision = reconcile(input({ local: moved, synced: theirs, remote: relabelled, conflicts }))
    expect(decision.rules).toEqual(['R17-conflict-held', 'R2-push', 'R3-pull'])
    expect(decision.local).toEqual({ ...moved, metadata: { labels: ['new'] } })
    expect(decision.remote).toEqual({ ...relabelled, path: 'dir/b.txt' })
    expect(decision.conflicts).toEqual([])
  })

  it('stay apart when the committed content moves on while the own candidate is held', () => {
    const conflicts = [contentConflict([candidate(ownId, 'mine')])]
    const later = file('dir/a.txt', 'later')
    const decision = reconcile(input({ local: mine, synced: theirs, remote: later, conflicts }))
    expect(decision).toMatchObject({
      rules: ['R17-conflict-held'],
      local: mine,
      remote: later,
      synced: later,
    })
  })

  it('update the own candidate when the local content changed again', () => {
    const open = contentConflict([candidate(ownId, 'mine'), candidate(otherId, 'third')])
    const again = file('dir/a.txt', 'mine again')
    const decision = reconcile(input({ local: again, synced: theirs, remote: theirs, conflicts: [open] }))
    expect(decision.rules).toEqual(['R18-conflict-updated'])
    expect(decision.conflicts).toMatchObject([
      { change: 'update', id: open.id, own: { hash: again.hash, size: 10 }, replaces: mine.hash },
    ])
    expect(decision).toMatchObject({ local: again, remote: theirs, synced: theirs })
  })

  it('close by themselves when the sides become equal', () => {
    const open = contentConflict([candidate(ownId, 'mine')])
    const decision = reconcile(input({ local: theirs, synced: theirs, remote: theirs, conflicts: [open] }))
    expect(decision.rules).toEqual(['R19-conflict-closed'])
    expect(decision.conflicts).toEqual([
      { change: 'withdraw', id: open.id, aspect: 'content', hash: mine.hash },
    ])
  })

  it('close when the own edit was given up for a committed content that has moved on since', () => {
    const open = contentConflict([candidate(ownId, 'mine')])
    const later = file('dir/a.txt', 'later')
    const decision = reconcile(input({ local: theirs, synced: theirs, remote: later, conflicts: [open] }))
    expect(decision).toMatchObject({ rules: ['R3-pull', 'R19-conflict-closed'], local: later, remote: later })
  })

  it('join the conflict that other instances have open', () => {
    const open = contentConflict([candidate(otherId, 'third')])
    const decision = reconcile(
      input({ local: mine, synced: base, remote: theirs, conflicts: [open], policy: 'remote' }),
    )
    expect(decision.rules).toEqual(['R18-conflict-updated'])
    expect(decision.conflicts).toMatchObject([{ change: 'update', id: open.id, replaces: null }])
  })

  it('an ordinary edit of a file that is in conflict elsewhere is committed', () => {
    const open = contentConflict([candidate(otherId, 'third')])
    const decision = reconcile(input({ local: mine, synced: base, remote: base, conflicts: [open] }))
    expect(decision).toMatchObject({ rules: ['R2-push'], remote: mine, conflicts: [] })
  })

  it('go to a file of their own when the open conflict is full', () => {
    const full = Array.from({ length: 64 }, (_, index) => candidate(`other ${index}`, `c${index}`))
    const decision = reconcile(
      input({ local: mine, synced: base, remote: theirs, conflicts: [contentConflict(full)] }),
    )
    expect(decision).toMatchObject({ rules: ['R20-policy'], local: theirs, conflicts: [] })
    expect(decision.copy?.state.hash).toBe(mine.hash)
  })
})

describe('a deletion of a file in conflict', () => {
  const open = contentConflict([candidate(ownId, 'mine'), candidate(otherId, 'third')])

  it('resolves every conflict of the file', () => {
    const field = fieldConflict('x', 1, [fieldCandidate(otherId, 2)])
    const decision = reconcile(
      input({ local: null, synced: theirs, remote: theirs, conflicts: [open, field] }),
    )
    expect(decision).toMatchObject({ rules: ['R2-push'], local: null, remote: null, synced: null })
    expect(decision.conflicts).toEqual([
      { change: 'deleted', id: open.id, aspect: 'content' },
      { change: 'deleted', id: field.id, aspect: 'metadata.x' },
    ])
  })

  it('gives way to an edit there, and takes the own candidate back', () => {
    const later = file('dir/a.txt', 'later')
    const decision = reconcile(input({ local: null, synced: theirs, remote: later, conflicts: [open] }))
    expect(decision.rules).toEqual(['R6-edit-wins-restore', 'R19-conflict-closed'])
    expect(decision.local).toEqual(later)
    expect(decision.conflicts).toMatchObject([{ change: 'withdraw', hash: mine.hash }])
  })

  it('elsewhere loses against the content that is held here', () => {
    const decision = reconcile(input({ local: mine, synced: theirs, remote: null, conflicts: [open] }))
    expect(decision.rules).toEqual(['R7-edit-wins-recommit', 'R19-conflict-closed'])
    expect(decision.remote).toEqual(mine)
  })
})

describe('policies', () => {
  const clash = { local: mine, synced: base, remote: theirs }

  it.each<[ConflictPolicy, typeof mine, typeof theirs]>([
    ['local', mine, mine],
    ['remote', theirs, theirs],
    ['newest', theirs, theirs],
    ['both', theirs, theirs],
  ])('%s settles two edits and says so', (policy, local, remote) => {
    const decision = reconcile(input({ ...clash, policy }))
    expect(decision).toMatchObject({ rules: ['R20-policy'], local, remote, synced: remote, conflicts: [] })
    expect(decision.notices).toMatchObject([{ rule: 'R20-policy' }])
  })

  it('newest takes the local content when it is newer, and the committed one of two equally old', () => {
    const newer = { ...mine, mtimeUs: 9_000 }
    expect(reconcile(input({ ...clash, local: newer, policy: 'newest' })).remote).toEqual(newer)
    const tie = { ...mine, mtimeUs: theirs.mtimeUs }
    expect(reconcile(input({ ...clash, local: tie, policy: 'newest' })).local).toEqual(theirs)
  })

  it('both puts the local content beside the file under a readable name', () => {
    const decision = reconcile(input({ ...clash, policy: 'both' }))
    const path = 'dir/a (conflict from laptop 2026-11-20 14.05).txt'
    expect(decision.copy).toEqual({ path, state: { ...mine, path } })
  })

  it('merge asks for a merge and changes nothing before it', () => {
    const decision = reconcile(input({ ...clash, policy: 'merge' }))
    expect(decision).toMatchObject({ ...clash, rules: ['R10-merge-content'], conflicts: [] })
    expect(decision.needsMerge).toEqual({ base: base.hash, local: mine.hash, remote: theirs.hash })
  })

  it('merge takes the merged content everywhere, or opens a conflict', () => {
    const merge = { kind: 'merged', hash: hashOf('both'), size: 4 } as const
    const merged = reconcile(input({ ...clash, policy: 'merge', merge }))
    const state = { ...theirs, hash: hashOf('both'), size: 4 }
    expect(merged).toMatchObject({ local: state, synced: state, remote: state, rules: ['R10-merge-content'] })
    const failed = reconcile(input({ ...clash, policy: 'merge', merge: { kind: 'conflict' } }))
    expect(failed.rules).toEqual(['R11-content-conflict'])
  })
})

describe('metadata fields', () => {
  const at = (metadata: object) => file('a.txt', 'base', { metadata: { ...metadata } })

  it('changed on different sides merge', () => {
    const decision = reconcile(
      input({ local: at({ x: 2, y: 1 }), synced: at({ x: 1, y: 1 }), remote: at({ x: 1, y: 2, z: 3 }) }),
    )
    expect(decision.remote?.metadata).toEqual({ x: 2, y: 2, z: 3 })
    expect(decision.local).toEqual(decision.remote)
    expect(decision.conflicts).toEqual([])
  })

  it('changed differently wait in a conflict of that field only', () => {
    const decision = reconcile(
      input({ local: at({ x: 2, y: 2 }), synced: at({ x: 1, y: 1 }), remote: at({ x: 3, y: 1 }) }),
    )
    expect(decision.rules).toEqual(['R13-metadata-conflict', 'R2-push'])
    expect(decision.local?.metadata).toEqual({ x: 2, y: 2 })
    expect(decision.remote?.metadata).toEqual({ x: 3, y: 2 })
    expect(decision.conflicts).toMatchObject([
      { change: 'open', kind: 'metadata', aspect: 'metadata.x', base: valueContent(1), own: valueContent(2) },
    ])
  })

  it('removed here and changed there wait too, with null for the absent value', () => {
    const decision = reconcile(input({ local: at({}), synced: at({ x: 1 }), remote: at({ x: 3 }) }))
    expect(decision.conflicts).toMatchObject([{ own: valueContent(null), base: valueContent(1) }])
    expect(decision.local?.metadata).toEqual({})
  })

  it('are held, updated and closed like contents', () => {
    const open = fieldConflict('x', 1, [fieldCandidate(ownId, 2)])
    const around = { synced: at({ x: 3 }), remote: at({ x: 3 }), conflicts: [open] }
    expect(reconcile(input({ ...around, local: at({ x: 2 }) })).rules).toEqual(['R17-conflict-held'])
    const updated = reconcile(input({ ...around, local: at({ x: 4 }) }))
    expect(updated.conflicts).toMatchObject([
      { change: 'update', id: open.id, replaces: valueContent(2).hash },
    ])
    const closed = reconcile(input({ ...around, local: at({ x: 3 }) }))
    expect(closed.conflicts).toMatchObject([{ change: 'withdraw', id: open.id }])
  })

  it.each<[ConflictPolicy, number]>([
    ['local', 2],
    ['remote', 3],
    ['newest', 2],
  ])('follow the policy %s', (policy, value) => {
    const local = { ...at({ x: 2 }), mtimeUs: 5_000 }
    const decision = reconcile(input({ local, synced: at({ x: 1 }), remote: at({ x: 3 }), policy }))
    expect(decision.local?.metadata).toEqual({ x: value })
    expect(decision.remote?.metadata).toEqual({ x: value })
    expect(decision.rules).toContain('R20-policy')
  })

  it.each<ConflictPolicy>(['manual', 'merge', 'both'])('wait under the policy %s', (policy) => {
    const decision = reconcile(
      input({ local: at({ x: 2 }), synced: at({ x: 1 }), remote: at({ x: 3 }), policy }),
    )
    expect(decision.rules).toEqual(['R13-metadata-conflict'])
  })

  it('labels merge as sets: additions of both sides, removals of either', () => {
    const decision = reconcile(
      input({
        local: at({ labels: ['mine', 'kept', 'dropped there'] }),
        synced: at({ labels: ['kept', 'dropped here', 'dropped there'] }),
        remote: at({ labels: ['kept', 'dropped here', 'theirs', 'theirs'] }),
      }),
    )
    expect(decision.rules).toEqual(['R12-merge-metadata'])
    expect(decision.local?.metadata).toEqual({ labels: ['kept', 'mine', 'theirs'] })
  })

  it('of files created alike on both sides merge against nothing', () => {
    const local = at({ labels: ['b'], x: 1, own: true })
    const remote = at({ labels: ['a'], x: 1, shared: true })
    const decision = reconcile(input({ local, remote }))
    expect(decision.local?.metadata).toEqual({ labels: ['a', 'b'], own: true, shared: true, x: 1 })
    expect(decision.local).toEqual(decision.remote)
  })

  it('named like a member of Object.prototype stay fields', () => {
    const hostile = JSON.parse('{"__proto__": {"x": 1}, "constructor": 2}')
    const decision = reconcile(
      input({ local: at({}), synced: at({}), remote: file('a.txt', 'base', { metadata: hostile }) }),
    )
    expect(JSON.stringify(decision.local?.metadata)).toBe('{"__proto__":{"x":1},"constructor":2}')
    expect(Object.getPrototypeOf(decision.local?.metadata)).toBe(Object.prototype)
  })
})
