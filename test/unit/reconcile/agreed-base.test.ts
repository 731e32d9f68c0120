import { expect, it } from 'vitest'
import { agreedBase } from '../../../src/reconcile/agreed-base.ts'
import { file, folder } from '../../support/three-trees.ts'

it('what both sides have alike is agreed on, and what differs keeps its base', () => {
  const base = { ...file('a', 'old'), metadata: { title: 'base', status: 'base', gone: 'base' } }
  const local = { ...file('b', 'new'), executable: true, metadata: { title: 'mine', status: 'both' } }
  const remote = { ...file('b', 'new'), executable: false, metadata: { title: 'theirs', status: 'both' } }
  expect(agreedBase(base, local, remote)).toEqual({
    ...file('b', 'new'),
    executable: base.executable,
    metadata: { title: 'base', status: 'both' },
  })
})

it('a content that differs keeps its size and time with it', () => {
  const base = file('a', 'old')
  const [local, remote] = [file('a', 'my own'), file('a', 'theirs, longer')]
  expect(agreedBase(base, local, remote)).toEqual(base)
})

it('between a file and a folder nothing is agreed on', () => {
  expect(agreedBase(file('a', 'old'), folder('b'), file('b', 'new'))).toEqual(file('a', 'old'))
})
