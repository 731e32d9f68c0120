/** Every pair of what can happen to one file on two sides, each with its rules and its outcome. */
import { describe, expect, it } from 'vitest'
import type { FileState } from '../../../src/model/file-state.ts'
import type { RuleId } from '../../../src/reconcile/decision.ts'
import { reconcile } from '../../../src/reconcile/reconcile.ts'
import { file, folder, hashOf, input } from '../../support/three-trees.ts'

type SideState =
  | 'same'
  | 'edited'
  | 'moved'
  | 'edited and moved'
  | 'relabelled'
  | 'executable'
  | 'touched'
  | 'deleted'

interface Expectation {
  readonly rules: readonly RuleId[]
  /** Of local and remote; `apart`: each keeps its own. `null`: the file is gone. Default: the base's. */
  readonly content?: 'mine' | 'theirs' | 'apart' | null
  readonly path?: 'mine.txt' | 'theirs.txt'
  readonly labels?: readonly string[]
  readonly executable?: true
  readonly mtime?: 'mine' | 'theirs'
}

const base = file('a.txt', 'base', { metadata: { labels: ['old'] } })

function side(state: SideState, who: 'mine' | 'theirs'): FileState | null {
  const edit = { hash: hashOf(who), size: who.length, mtimeUs: who === 'mine' ? 2_000 : 3_000 }
  switch (state) {
    case 'same':
      return base
    case 'edited':
      return { ...base, ...edit }
    case 'moved':
      return { ...base, path: `${who}.txt` }
    case 'edited and moved':
      return { ...base, ...edit, path: `${who}.txt` }
    case 'relabelled':
      return { ...base, metadata: { labels: ['old', who] } }
    case 'executable':
      return { ...base, executable: true }
    case 'touched':
      return { ...base, mtimeUs: edit.mtimeUs }
    case 'deleted':
      return null
  }
}

const push = 'R2-push'
const pull = 'R3-pull'
const mine = { path: 'mine.txt', content: 'mine' } as const
const theirs = { path: 'theirs.txt', content: 'theirs' } as const
const gone = { content: null } as const
const conflict = 'R11-content-conflict'
const committedPath = 'R9-committed-path-wins'
const [exec, labelMine, labelTheirs, labelBoth] = [
  { executable: true },
  { labels: ['old', 'mine'] },
  { labels: ['old', 'theirs'] },
  { labels: ['mine', 'old', 'theirs'] },
] as const
const [touchMine, touchTheirs] = [{ mtime: 'mine' }, { mtime: 'theirs' }] as const
const restored: RuleId[] = ['R6-edit-wins-restore']
const recommitted: RuleId[] = ['R7-edit-wins-recommit']
const deleted: RuleId[] = ['R8-deletion-wins']

/** Local state → remote state → expectation. */
const table: Record<SideState, Record<SideState, Expectation>> = {
  same: {
    same: { rules: ['R1-clean'] },
    edited: { rules: [pull], content: 'theirs' },
    moved: { rules: [pull], path: 'theirs.txt' },
    'edited and moved': { rules: [pull], ...theirs },
    relabelled: { rules: [pull], ...labelTheirs },
    executable: { rules: [pull], ...exec },
    touched: { rules: [pull], ...touchTheirs },
    deleted: { rules: [pull], ...gone },
  },
  edited: {
    same: { rules: [push], content: 'mine' },
    edited: { rules: [conflict], content: 'apart' },
    moved: { rules: [push, pull], content: 'mine', path: 'theirs.txt' },
    'edited and moved': { rules: [conflict, pull], content: 'apart', path: 'theirs.txt' },
    relabelled: { rules: [push, pull], content: 'mine', ...labelTheirs },
    executable: { rules: [push, pull], content: 'mine', ...exec },
    touched: { rules: [push], content: 'mine' },
    deleted: { rules: recommitted, content: 'mine' },
  },
  moved: {
    same: { rules: [push], path: 'mine.txt' },
    edited: { rules: [pull, push], content: 'theirs', path: 'mine.txt' },
    moved: { rules: [committedPath], path: 'theirs.txt' },
    'edited and moved': { rules: [pull, committedPath], ...theirs },
    relabelled: { rules: [push, pull], path: 'mine.txt', ...labelTheirs },
    executable: { rules: [push, pull], path: 'mine.txt', ...exec },
    touched: { rules: [pull, push], path: 'mine.txt', ...touchTheirs },
    deleted: { rules: deleted, ...gone },
  },
  'edited and moved': {
    same: { rules: [push], ...mine },
    edited: { rules: [conflict, push], content: 'apart', path: 'mine.txt' },
    moved: { rules: [push, committedPath], content: 'mine', path: 'theirs.txt' },
    'edited and moved': { rules: [conflict, committedPath], content: 'apart', path: 'theirs.txt' },
    relabelled: { rules: [push, pull], ...mine, ...labelTheirs },
    executable: { rules: [push, pull], ...mine, ...exec },
    touched: { rules: [push], ...mine },
    deleted: { rules: recommitted, ...mine },
  },
  relabelled: {
    same: { rules: [push], ...labelMine },
    edited: { rules: [pull, push], content: 'theirs', ...labelMine },
    moved: { rules: [pull, push], path: 'theirs.txt', ...labelMine },
    'edited and moved': { rules: [pull, push], ...theirs, ...labelMine },
    relabelled: { rules: ['R12-merge-metadata'], ...labelBoth },
    executable: { rules: [pull, push], ...exec, ...labelMine },
    touched: { rules: [pull, push], ...labelMine, ...touchTheirs },
    deleted: { rules: deleted, ...gone },
  },
  executable: {
    same: { rules: [push], ...exec },
    edited: { rules: [pull, push], content: 'theirs', ...exec },
    moved: { rules: [pull, push], path: 'theirs.txt', ...exec },
    'edited and moved': { rules: [pull, push], ...theirs, ...exec },
    relabelled: { rules: [push, pull], ...exec, ...labelTheirs },
    executable: { rules: ['R4-adopt'], ...exec },
    touched: { rules: [pull, push], ...exec, ...touchTheirs },
    deleted: { rules: deleted, ...gone },
  },
  touched: {
    same: { rules: [push], ...touchMine },
    edited: { rules: [pull], content: 'theirs' },
    moved: { rules: [push, pull], path: 'theirs.txt', ...touchMine },
    'edited and moved': { rules: [pull], ...theirs },
    relabelled: { rules: [push, pull], ...labelTheirs, ...touchMine },
    executable: { rules: [push, pull], ...exec, ...touchMine },
    touched: { rules: [pull], ...touchTheirs },
    deleted: { rules: [pull], ...gone },
  },
  deleted: {
    same: { rules: [push], ...gone },
    edited: { rules: restored, content: 'theirs' },
    moved: { rules: deleted, ...gone },
    'edited and moved': { rules: restored, ...theirs },
    relabelled: { rules: deleted, ...gone },
    executable: { rules: deleted, ...gone },
    touched: { rules: [push], ...gone },
    deleted: { rules: ['R5-forget'], ...gone },
  },
}

function expectedState(expectation: Expectation, tree: 'local' | 'remote'): FileState | null {
  const { content, path, labels, executable, mtime } = expectation
  if (content === null) return null
  const name = content === 'apart' ? (tree === 'local' ? 'mine' : 'theirs') : content
  const edited = name === undefined ? {} : side('edited', name)
  const touched = mtime === undefined ? {} : { mtimeUs: mtime === 'mine' ? 2_000 : 3_000 }
  return {
    ...base,
    ...edited,
    ...touched,
    path: path ?? base.path,
    executable: executable ?? false,
    metadata: { labels: labels ?? ['old'] },
  }
}

describe('the decision table, for a file that both sides had', () => {
  for (const [local, row] of Object.entries(table) as [SideState, Record<SideState, Expectation>][]) {
    for (const [remote, expectation] of Object.entries(row) as [SideState, Expectation][]) {
      it(`${local} here, ${remote} there: ${expectation.rules.join(', ')}`, () => {
        const decision = reconcile(
          input({ local: side(local, 'mine'), synced: base, remote: side(remote, 'theirs') }),
        )
        expect(decision.rules).toEqual(expectation.rules)
        expect(decision.local).toEqual(expectedState(expectation, 'local'))
        expect(decision.remote).toEqual(expectedState(expectation, 'remote'))
        expect(decision.synced).toEqual(decision.remote)
        expect(decision.conflicts.map(({ change }) => change)).toEqual(
          expectation.content === 'apart' ? ['open'] : [],
        )
        const told: RuleId[] = [committedPath, ...restored, ...recommitted, ...deleted]
        const reported = expectation.rules.filter((rule) => told.includes(rule))
        expect(decision.notices.map(({ rule }) => rule)).toEqual(reported)
      })
    }
  }
})

type Fresh = 'absent' | 'file' | 'same file' | 'other file' | 'folder'
type FreshRemote = Exclude<Fresh, 'file'>

const freshStates: Record<Fresh, FileState | null> = {
  absent: null,
  file: file('p', 'mine'),
  'same file': file('p', 'mine', { mtimeUs: 9, executable: true, metadata: { labels: ['b'], x: 1 } }),
  'other file': file('p', 'theirs'),
  folder: folder('p'),
}

const freshTable: Record<
  'absent' | 'file' | 'folder',
  Record<FreshRemote, { readonly rules: readonly RuleId[]; readonly local: Fresh; readonly remote: Fresh }>
> = {
  absent: {
    absent: { rules: ['R1-clean'], local: 'absent', remote: 'absent' },
    'same file': { rules: [pull], local: 'same file', remote: 'same file' },
    'other file': { rules: [pull], local: 'other file', remote: 'other file' },
    folder: { rules: [pull], local: 'folder', remote: 'folder' },
  },
  file: {
    absent: { rules: [push], local: 'file', remote: 'file' },
    'same file': {
      rules: ['R4-adopt', 'R21-mode-committed-wins', pull],
      local: 'same file',
      remote: 'same file',
    },
    'other file': { rules: ['R14-create-conflict', 'R4-adopt'], local: 'file', remote: 'other file' },
    folder: { rules: ['R16-path-taken'], local: 'folder', remote: 'folder' },
  },
  folder: {
    absent: { rules: [push], local: 'folder', remote: 'folder' },
    'same file': { rules: ['R16-path-taken'], local: 'same file', remote: 'same file' },
    'other file': { rules: ['R16-path-taken'], local: 'other file', remote: 'other file' },
    folder: { rules: ['R4-adopt'], local: 'folder', remote: 'folder' },
  },
}

describe('the decision table, for a path that both sides fill anew', () => {
  for (const [local, row] of Object.entries(freshTable) as ['file', (typeof freshTable)['file']][]) {
    for (const [remote, expectation] of Object.entries(row) as [FreshRemote, (typeof row)['folder']][]) {
      it(`${local} here, ${remote} there: ${expectation.rules.join(', ')}`, () => {
        const decision = reconcile(input({ local: freshStates[local], remote: freshStates[remote] }))
        expect(decision.rules).toEqual(expectation.rules)
        expect(decision.local).toEqual(freshStates[expectation.local])
        expect(decision.remote).toEqual(freshStates[expectation.remote])
        expect(decision.synced).toEqual(decision.remote)
      })
    }
  }
})

describe('changes of both sides to the same', () => {
  for (const state of ['edited', 'moved', 'edited and moved', 'relabelled', 'executable'] as const) {
    it(`${state} alike on both sides is adopted without a transfer`, () => {
      const alike = side(state, 'mine')
      const decision = reconcile(input({ local: alike, synced: base, remote: alike }))
      expect(decision).toMatchObject({ rules: ['R4-adopt'], local: alike, remote: alike, synced: alike })
    })
  }
})
