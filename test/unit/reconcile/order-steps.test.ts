import { describe, expect, it } from 'vitest'
import { type LocalChange, orderSteps } from '../../../src/reconcile/order-steps.ts'

const file = (id: string, from: string | null, to: string | null, content = false): LocalChange => ({
  id,
  kind: 'file',
  from,
  to,
  content,
})
const folder = (id: string, from: string | null, to: string | null): LocalChange => ({
  ...file(id, from, to),
  kind: 'folder',
})

function told(changes: readonly LocalChange[]): string[] {
  return orderSteps(changes).map((step) =>
    step.kind === 'move' ? `move ${step.from} ${step.to}` : `${step.kind} ${step.path}`,
  )
}

describe('local changes', () => {
  it('that stand in nobody’s way go as they are', () => {
    expect(
      told([file('1', 'a', null), file('2', 'b', 'c'), file('3', null, 'd'), file('4', 'e', 'e', true)]),
    ).toEqual(['remove a', 'move b c', 'place d', 'place e'])
  })

  it('of mode or time alone need no step', () => {
    expect(told([file('1', 'a', 'a')])).toEqual([])
  })

  it('in a chain wait until the path is free', () => {
    expect(told([file('1', 'a', 'b'), file('2', 'b', 'c'), file('3', 'c', 'd')])).toEqual([
      'move c d',
      'move b c',
      'move a b',
    ])
  })

  it('that swap two paths park one file', () => {
    expect(told([file('1', 'a', 'b'), file('2', 'b', 'a')])).toEqual(['park b', 'move a b', 'unpark a'])
  })

  it('that swap two paths by case only park one file', () => {
    expect(told([file('1', 'a', 'A'), file('2', 'A', 'a')])).toHaveLength(3)
  })

  it('of case only are one move', () => {
    expect(told([file('1', 'a', 'A')])).toEqual(['move a A'])
    expect(told([folder('1', 'd', 'D')])).toEqual(['move d D'])
  })

  it('that turn a folder into a file remove what was in it, then the folder, then place the file', () => {
    expect(told([file('1', 'd/e/x', null), file('2', null, 'd')])).toEqual([
      'remove d/e/x',
      'prune d/e',
      'prune d',
      'place d',
    ])
    expect(told([folder('1', 'd', null), file('2', 'f', 'd')])).toEqual(['remove-folder d', 'move f d'])
  })

  it('that turn a file into a folder remove the file before anything comes into it', () => {
    expect(told([file('1', 'd', null), file('2', null, 'd/x')])).toEqual(['remove d', 'place d/x'])
    expect(told([file('1', 'd', 'd/x')])).toEqual(['park d', 'unpark d/x'])
    expect(told([file('1', 'd/x', 'd')])).toEqual(['park d/x', 'prune d', 'unpark d'])
  })

  it('make folders before what is in them and remove them last, the deepest first', () => {
    expect(
      told([
        folder('1', null, 'n'),
        folder('2', null, 'n/m'),
        folder('3', 'o', null),
        file('4', 'o/p/q', null),
      ]),
    ).toEqual(['remove o/p/q', 'make-folder n', 'make-folder n/m', 'prune o/p', 'remove-folder o'])
  })

  it('leave a folder alone when its entry only goes because something is in it now', () => {
    expect(told([folder('1', 'd', null), file('2', null, 'd/x')])).toEqual(['place d/x'])
  })

  it('move first, and bring the new content then', () => {
    expect(told([file('1', 'a', 'b', true)])).toEqual(['move a b', 'place b'])
  })
})
