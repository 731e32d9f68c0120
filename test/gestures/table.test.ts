import fs from 'node:fs'
import { expect, it } from 'vitest'
import { gestures } from './gestures.ts'
import { rootGestures } from './roots.ts'

it('docs/gestures.md lists each gesture', () => {
  const table = fs.readFileSync('docs/gestures.md', 'utf8')
  const listed = [...table.matchAll(/^\| (.+) \| ok \| ok \|$/gm)].map(([, name]) => name)
  const permissions = fs.readFileSync('test/gestures/permissions.test.ts', 'utf8')
  const permissionNames = [...permissions.matchAll(/^ {2}it\('(.+)', async/gm)].map(([, name]) => name)
  const names = [...gestures, ...rootGestures].map(({ name }) => name)
  expect(listed.sort()).toEqual([...names, ...permissionNames].sort())
})
