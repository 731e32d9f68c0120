import fs from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { foldingCalls } from '../../support/folding-calls.ts'
import {
  openTemporaryWorkspace,
  stageText,
  stampAt,
  type TemporaryWorkspace,
} from '../../support/temporary-workspace.ts'

const attributes = { executable: false, mtimeUs: 1_600_000_000_000_000 }
const placing = { expected: null, attributes, old: 'trash', durable: false } as const

describe('where names that differ in case or normalisation are one', () => {
  let temporary: TemporaryWorkspace
  beforeEach(async () => {
    temporary = await openTemporaryWorkspace({ fileCalls: foldingCalls() })
  })
  afterEach(() => temporary.dispose())

  it('a second spelling of a file or of a folder cannot be held', async () => {
    const { workspace } = temporary
    temporary.write('Docs/Readme', 'theirs')
    temporary.write('caf\u00e9', 'theirs')
    for (const target of ['Docs/README', 'docs/other', 'cafe\u0301']) {
      const result = await workspace.place(await stageText(workspace, 'ours'), target, placing)
      expect(result.kind, target).toBe('unrepresentable')
    }
    expect((await workspace.makeFolder('DOCS')).kind).toBe('unrepresentable')
    expect(await workspace.place(await stageText(workspace, 'ours'), 'Docs/Readme', placing)).toEqual({
      kind: 'changed',
    })
    expect(fs.readdirSync(temporary.at('Docs'))).toEqual(['Readme'])
    expect(temporary.read('Docs/Readme')).toBe('theirs')
  })

  it('a change of case is a rename', async () => {
    const { workspace } = temporary
    temporary.write('readme', '1')
    expect((await workspace.move('readme', 'README', await stampAt(workspace, 'readme'))).kind).toBe('done')
    fs.mkdirSync(temporary.at('empty'))
    expect((await workspace.move('empty', 'Empty', await stampAt(workspace, 'empty'))).kind).toBe('done')
    expect(fs.readdirSync(temporary.root).sort()).toEqual(['.davit', 'Empty', 'README'])
    expect(temporary.read('README')).toBe('1')
  })

  it('a move onto a twin of another file does nothing', async () => {
    const { workspace } = temporary
    temporary.write('a', '1')
    temporary.write('B', '2')
    expect((await workspace.move('a', 'b', await stampAt(workspace, 'a'))).kind).toBe('unrepresentable')
    expect([temporary.read('a'), temporary.read('B')]).toEqual(['1', '2'])
  })
})
