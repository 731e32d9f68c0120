import { copyFileSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'
import type { Database } from '../../../src/database/database.ts'
import { disownCandidates, identify } from '../../../src/instance/identity.ts'
import type { Random } from '../../../src/model/clock.ts'
import {
  conflict,
  fileId,
  hashOf,
  local,
  me,
  openTestDatabase,
  other,
  state,
  temporaryFolder,
} from '../../support/database-values.ts'

/** Counts up: every value is new. */
function counting(): Random {
  let count = 0
  return {
    uuid: () => `uuid-${++count}`,
    hex: (bytes) => (++count).toString(16).padStart(bytes * 2, '0'),
    fraction: () => 0,
  }
}

/** A state folder with a database file, as far as the place is told by it. */
function aStateFolder(): string {
  const stateFolder = join(temporaryFolder(), 'state')
  mkdirSync(stateFolder)
  writeFileSync(join(stateFolder, 'metadata.db'), '')
  return stateFolder
}

function aReplica() {
  const database = openTestDatabase()
  const random = counting()
  const stateFolder = aStateFolder()
  const at = (folder: string, machine = 'machine') =>
    identify(database, { machine, stateFolder: folder }, random)
  return { database, stateFolder, at }
}

it('a new state takes an id and has had none before', () => {
  const { stateFolder, at } = aReplica()
  expect(at(stateFolder)).toEqual({ id: 'uuid-1', incarnation: '2'.padStart(32, '0'), formerId: null })
})

it('at the same place it keeps its id, by whatever name the place is called', () => {
  const { stateFolder, at } = aReplica()
  const first = at(stateFolder)
  expect(at(stateFolder)).toEqual(first)
  const link = join(dirname(stateFolder), 'link')
  symlinkSync(stateFolder, link)
  expect(at(link)).toEqual(first)
})

it('at another path it takes a new id and tells the former', () => {
  const { stateFolder, at } = aReplica()
  const first = at(stateFolder)
  const moved = `${stateFolder}-moved`
  renameSync(stateFolder, moved)
  const second = at(moved)
  expect(second.id).not.toBe(first.id)
  expect(second.incarnation).not.toBe(first.incarnation)
  expect(second.formerId).toBe(first.id)
})

it('in a copy of the file it takes a new id and tells the former', () => {
  const { stateFolder, at } = aReplica()
  const first = at(stateFolder)
  const file = join(stateFolder, 'metadata.db')
  // Both exist at one time, so that the copy cannot have the inode of the other.
  copyFileSync(file, `${file}.copy`)
  renameSync(`${file}.copy`, file)
  expect(at(stateFolder)).toMatchObject({ id: 'uuid-3', formerId: first.id })
})

it('on another machine it takes a new id and tells the former', () => {
  const { stateFolder, at } = aReplica()
  const first = at(stateFolder)
  expect(at(stateFolder, 'another')).toMatchObject({ id: 'uuid-3', formerId: first.id })
})

it('the former id is told until it is disowned, and is the first one that spoke', () => {
  const { database, stateFolder, at } = aReplica()
  const first = at(stateFolder)
  const second = at(stateFolder, 'another')
  expect(at(stateFolder, 'another')).toEqual(second)
  const third = at(stateFolder, 'a third')
  expect(third.formerId).toBe(first.id)
  expect(third.id).not.toBe(second.id)
  disownCandidates(database, first.id)
  expect(at(stateFolder, 'a third')).toEqual({ ...third, formerId: null })
})

/** A file whose content is here as it stands in an open conflict, under `instance`. */
function heldContent(database: Database, instance: string, base: { hash: string; size: number } | null) {
  const id = fileId(1)
  const mine = state('a.md', 'mine')
  const candidate = { instance, name: 'desk', hash: mine.hash ?? '', size: 4, at: '2026-11-20T12:00:00.000Z' }
  database.transaction(() => {
    database.trees.putLocal(local(id, mine))
    database.trees.putSynced(id, state('a.md', 'theirs!'))
    database.conflicts.put(conflict(1, id, { base, candidates: [candidate] }))
  })
  return id
}

it('what the former id said of a content starts from the base of the conflict again', () => {
  const database = openTestDatabase()
  const base = { hash: hashOf('base'), size: 4 }
  const id = heldContent(database, me, base)
  disownCandidates(database, me)
  const { synced, local: here } = database.trees.triple(id)
  expect(synced).toEqual({ ...state('a.md', 'theirs!'), ...base })
  expect(here?.state.hash).toBe(hashOf('mine'))
})

it('what the former id said of a content without a base starts from nothing', () => {
  const database = openTestDatabase()
  const id = heldContent(database, me, null)
  disownCandidates(database, me)
  expect(database.trees.triple(id).synced).toBeNull()
})

it('what others said, and a content that has changed since, stays as it is', () => {
  const database = openTestDatabase()
  const id = heldContent(database, other, { hash: hashOf('base'), size: 4 })
  disownCandidates(database, me)
  expect(database.trees.triple(id).synced).toEqual(state('a.md', 'theirs!'))
  database.transaction(() => database.trees.putLocal(local(id, state('a.md', 'changed since'))))
  disownCandidates(database, other)
  expect(database.trees.triple(id).synced).toEqual(state('a.md', 'theirs!'))
})

it.each([
  ['its base', { hash: hashOf('"old"'), size: 5, value: 'old' }, { title: 'old', kept: 1 }],
  ['nothing', null, { kept: 1 }],
])('what the former id said of a field starts from %s', (_what, base, metadata) => {
  const database = openTestDatabase()
  const id = fileId(1)
  const at = '2026-11-20T12:00:00.000Z'
  const candidate = { instance: me, name: 'desk', hash: hashOf('"mine"'), size: 6, value: 'mine', at }
  database.transaction(() => {
    database.trees.putLocal(local(id, state('a.md', 'a', { metadata: { title: 'mine', kept: 1 } })))
    database.trees.putSynced(id, state('a.md', 'a', { metadata: { title: 'theirs', kept: 1 } }))
    database.conflicts.put(
      conflict(1, id, { kind: 'metadata', aspect: 'metadata.title', base, candidates: [candidate] }),
    )
  })
  disownCandidates(database, me)
  expect(database.trees.triple(id).synced?.metadata).toEqual(metadata)
})
