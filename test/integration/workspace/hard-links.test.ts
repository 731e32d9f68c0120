import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createHardLinks, type HardLinks } from '../../../src/workspace/hard-links.ts'

let root: string
let searches: number
let links: HardLinks

beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'davit-links-'))
  searches = 0
  links = createHardLinks({
    root,
    folders: () => {
      searches++
      return ['', 'd']
    },
  })
  fs.mkdirSync(at('d'))
  fs.writeFileSync(at('a'), '1')
  fs.writeFileSync(at('alone'), '1')
  fs.linkSync(at('a'), at('d/b'))
})
afterEach(() => fs.rmSync(root, { recursive: true }))

const at = (target: string) => path.join(root, target)
const namesOf = (target: string) => {
  links.note(target, fs.lstatSync(at(target)))
  return links.take()?.sort()
}

it('all names of a file are found, by one search for all of them', () => {
  fs.writeFileSync(at('c'), '2')
  fs.linkSync(at('c'), at('d/e'))
  expect(namesOf('d/b')).toEqual(['a', 'd/b'])
  expect(namesOf('a')).toEqual(['a', 'd/b'])
  expect(namesOf('c')).toEqual(['c', 'd/e'])
  expect(searches).toBe(1)
  expect(links.take()).toEqual([])
})

it('a name that came, went or changed is noticed', () => {
  namesOf('a')
  fs.renameSync(at('a'), at('renamed'))
  expect(namesOf('d/b')).toEqual(['d/b', 'renamed'])
  fs.linkSync(at('d/b'), at('third'))
  expect(namesOf('d/b')).toEqual(['d/b', 'renamed', 'third'])
  fs.rmSync(at('renamed'))
  expect(namesOf('third')).toEqual(['d/b', 'third'])
  fs.renameSync(at('third'), at('fourth'))
  expect(namesOf('fourth')).toEqual(['d/b', 'fourth'])
})
