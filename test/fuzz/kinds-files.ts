/** What stands in files of the workspace and its state folder: configuration, ignore rules, marker. */

import fs from 'node:fs'
import path from 'node:path'
import { loadConfiguration } from '../../src/instance/configuration.ts'
import { systemFileCalls } from '../../src/workspace/file-calls.ts'
import { createIgnoreRules, readIgnoreSource } from '../../src/workspace/ignore-rules.ts'
import { rootState } from '../../src/workspace/root-identity.ts'
import type { Chance } from './chance.ts'
import { hostileNumbers, hostilePath, hostileText, hostileTree } from './hostile-values.ts'
import { changeForm, changeValue, print, treeOf } from './json-text.ts'
import { expectThat, type Kind, tryOut } from './kind.ts'
import { mutateBytes } from './mutate-bytes.ts'
import { makeScratchFolder } from './scratch.ts'

export function fileKinds(): Kind[] {
  const root = makeScratchFolder('files')
  const state = path.join(root, '.davit')
  fs.mkdirSync(state)
  const configuration = path.join(state, 'davit.yml')
  const marker = path.join(state, 'marker')
  const ignore = path.join(root, '.davitignore')
  const { dev: device, ino: inode } = fs.lstatSync(root)

  return [
    {
      name: 'configuration',
      weight: 4,
      generate: configurationText,
      async examine(bytes) {
        fs.writeFileSync(configuration, bytes)
        const loaded = await tryOut(
          () => loadConfiguration({ options: { workspace: root }, environment: {}, cwd: root }),
          { codes: ['configuration-invalid'], names: /davit\.yml|^[a-zA-Z.]+: / },
        )
        if (loaded === null) return
        expectThat(loaded.workspace === root, 'another workspace was taken')
        expectThat(loaded.sync.retry.attempts >= 1 && loaded.sync.pollMs > 0, 'a time makes no sense')
      },
      close: () => fs.rmSync(root, { recursive: true, force: true }),
    },
    {
      name: 'marker',
      weight: 2,
      generate: markerText,
      examine(bytes) {
        fs.writeFileSync(marker, bytes)
        const remembered = { token: 'f'.repeat(32), device, inode }
        const { kind } = rootState(systemFileCalls, root, { read: () => remembered, write: () => {} })
        const isOurs = Buffer.from(bytes).includes('f'.repeat(32))
        expectThat(kind !== 'vanished' && (kind !== 'present' || isOurs), `the workspace counts as ${kind}`)
      },
    },
    {
      name: 'ignore-file',
      weight: 3,
      generate: ignoreText,
      async examine(bytes) {
        fs.writeFileSync(ignore, bytes)
        await tryOut(
          () => {
            const rules = createIgnoreRules(readIgnoreSource({ root, stateFolder: state, patterns: [] }))
            expectThat(
              rules.ignores('.davit', 'folder') && rules.ignores('.davit/x', 'file'),
              'the state folder is not left out',
            )
            for (const target of ignoredOrNot) rules.ignores(target, 'file')
          },
          { codes: ['file-unreadable'], names: /\.davitignore/ },
        )
      },
    },
  ]
}

/** Names that are long and alike: what a pattern that goes back and forth fails on. */
const ignoredOrNot = [
  'a.txt',
  'b/c.txt',
  `${'a'.repeat(250)}b`,
  `${'ab'.repeat(100)}`,
  `${'a/'.repeat(200)}b`,
  `${'aaaaaaaa/'.repeat(60)}c`,
  '[!a',
  'a\\b',
  ' ',
  'caf\u00e9',
]

const patternParts = [
  '*',
  '**',
  '/',
  '?',
  'a',
  'b',
  '[',
  ']',
  '!',
  '\\',
  '[^a]',
  '[a-z]',
  '[z-a]',
  '{a,b}',
  '(',
  ')',
  '+',
  '.',
  '$',
  '^',
  '|',
  ' ',
  '#',
  '[[:alpha:]]',
  '[\\]]',
  '\t',
  '\u0000',
  '/**/',
  '*a',
  '**/a',
  '\\ ',
  '\\!',
  '__proto__',
  '\u20ac',
]

function ignoreText(chance: Chance): Uint8Array {
  const lines = Array.from({ length: chance.int(6) }, () => {
    switch (chance.int(6)) {
      case 0:
        return chance
          .pick(['*a', 'a*', '**/a', '*/', '?*', 'a**', '(a+)+', '/**', '**/a/', 'a/**/', '*/**/'])
          .repeat(1 + chance.int(chance.pick([3, 12, 60])))
      case 1:
        return hostilePath(chance)
      case 2:
        return chance.pick([
          '*.tmp',
          '/build',
          'node_modules/',
          '!keep',
          '# comment',
          '\\#x',
          '',
          '.davit',
          '!.davit',
          '!.davit/**',
        ])
      default:
        return Array.from({ length: 1 + chance.int(10) }, () => chance.pick(patternParts)).join('')
    }
  })
  const bytes = Buffer.from(lines.join(chance.pick(['\n', '\r\n', '\r', '\u2028'])))
  return chance.maybe(0.1) ? mutateBytes(bytes, chance) : bytes
}

function markerText(chance: Chance): Uint8Array {
  const tree = treeOf({ token: 'e'.repeat(32), previous: chance.pick([null, 'f'.repeat(32)]) })
  if (chance.maybe(0.6)) changeValue(tree, chance, hostileTree)
  if (chance.maybe(0.4)) changeForm(tree, chance, hostileTree)
  const bytes = Buffer.from(`${print(tree)}\n`)
  return chance.maybe(0.4) ? mutateBytes(bytes, chance) : bytes
}

const keys = [
  'instance',
  'workspace',
  'state',
  'remote',
  'url',
  'concurrency',
  'sync',
  'mode',
  'poll',
  'retry',
  'attempts',
  'maxDelete',
  'watch',
  'ignore',
  'http',
  'port',
  '__proto__',
  'constructor',
  'toString',
  '<<',
  '? [a]',
  '? {b: c}',
  '"\\ud800"',
  '1',
  'null',
  '~',
  '!!str x',
  '&k k',
  '*k',
]
const values = [
  'x',
  '1',
  'true',
  'null',
  '~',
  '5s',
  '99999999999d',
  '0ms',
  '1e3s',
  '50%',
  '-1%',
  '1e400',
  '0o17',
  '0x1f',
  '.inf',
  '.nan',
  '2026-01-02',
  '!!binary aGk=',
  '!!js/function x',
  '!!python/object:os.system x',
  '!<tag:x> y',
  '&a [*a]',
  '*a',
  '&a',
  '"\\x00"',
  '"\\u0000"',
  "'",
  '"',
  '|',
  '>-',
  '[',
  '{',
  '@x',
  '`x`',
  '%x',
  '---',
  '...',
  '[a, b]',
  '{a: b}',
  'http://dav.test/',
  'https://u:p%@dav.test/x',
  'http://[',
  'file:///x',
  '# x',
  '\t',
  '\u0000',
  '../..',
  '/dev/zero',
  '{__proto__: {polluted: true}}',
  '{constructor: {prototype: {polluted: 1}}}',
]

function configurationText(chance: Chance): Uint8Array {
  if (chance.maybe(0.003)) return Buffer.from(yamlBomb(chance))
  const lines = [
    'instance: laptop',
    'workspace: .',
    'remote:',
    '  url: http://dav.test/store',
    'sync:',
    '  poll: 5s',
    'ignore: ["*.tmp"]',
  ]
  for (let changes = 1 + chance.few(); changes > 0; changes--) {
    const at = chance.int(lines.length + 1)
    const indent = ' '.repeat(chance.pick([0, 0, 2, 2, 4, 1]))
    const value = chance.pick([
      () => chance.pick(values),
      () => chance.pick(values),
      () => chance.pick(hostileNumbers),
      () => JSON.stringify(hostileText(chance)),
      () => print(hostileTree(chance)),
    ])()
    const line = `${indent}${chance.pick(keys)}: ${value}`
    switch (chance.int(4)) {
      case 0:
        lines.splice(at, 1)
        break
      case 1:
        lines.splice(at, 0, lines[chance.int(lines.length)] ?? '')
        break
      default:
        lines.splice(at, chance.int(2), line)
    }
  }
  const bytes = Buffer.from(`${lines.join('\n')}\n`)
  return chance.maybe(0.3) ? mutateBytes(bytes, chance) : bytes
}

function yamlBomb(chance: Chance): string {
  switch (chance.int(6)) {
    case 0: {
      const levels = 'abcdefghi'.split('')
      return levels
        .map(
          (name, index) =>
            `${name}: &${name} [${(index === 0 ? 'x' : `*${levels[index - 1]}`).concat(',').repeat(9)}]`,
        )
        .join('\n')
    }
    case 1:
      return '['.repeat(chance.pick([500, 500, 20_000, 20_000, 200_000]))
    case 2:
      return '{a: '.repeat(chance.pick([500, 20_000]))
    case 3:
      return '- '.repeat(chance.pick([500, 20_000]))
    case 4:
      return '&a '.repeat(5_000)
    default:
      return Array.from({ length: 3_000 }, (_, index) => `${' '.repeat(index)}a:`).join('\n')
  }
}
