/** What somebody who means harm, or a broken program, writes where a value of some kind is expected. */
import type { Chance } from './chance.ts'
import { object, raw, type Tree } from './json-text.ts'

/** Stand for themselves: to be refused, quarantined, or written as nothing but a plain name inside the workspace. */
export const hostilePaths: readonly string[] = [
  '',
  '.',
  '..',
  '/',
  '../x',
  '../canary.txt',
  '../../../../../../tmp/davit-fuzz-escaped',
  'a/../../b',
  'a/..',
  'a/./b',
  './a',
  'a//b',
  'a/',
  '/etc/passwd',
  '//host/share',
  'C:',
  'C:\\x',
  'c:/x',
  '..\\x',
  'a\\..\\..\\b',
  '\\\\?\\C:\\x',
  '%2e%2e/x',
  '%2e%2e%2fx',
  '..%2fx',
  'a\0b',
  '\0',
  'a\nb',
  'a\rb',
  '\u001b[2J',
  'CON',
  'nul.txt',
  'LPT1',
  'a:stream',
  'trailing.',
  'trailing ',
  ' leading',
  '~',
  '~root',
  '$HOME',
  '-rf',
  '*',
  '.davit',
  '.davit/davit.yml',
  '.davit/metadata.db',
  '.davit/marker',
  '.davit/token',
  '.DAVIT/davit.yml',
  '.Davit/x',
  '.davit\u200b/x',
  '.ｄａｖｉｔ/davit.yml',
  '.davıt/x',
  '.davit ',
  '.davit./x',
  'a/.davit/davit.yml',
  '.davitignore',
  '.davit-tmp-x',
  'davit.yml',
  'metadata.db',
  '__proto__',
  '__proto__/polluted',
  'constructor',
  'constructor/prototype/polluted',
  'hasOwnProperty',
  'toString',
  'caf\u00e9',
  'cafe\u0301',
  'A.TXT',
  'a.txt',
  'a.txt/inside',
  'b',
  'b/c.txt/d',
  '\ud800',
  'x\udc00y',
  '\ufeffa',
  '\u202etxt.exe',
  'n'.repeat(255),
  'n'.repeat(256),
  'n'.repeat(300),
  '\u20ac'.repeat(86),
  'd/'.repeat(40).concat('x'),
  'd/'.repeat(200).concat('x'),
  'p'.repeat(1_000),
]

export function hostilePath(chance: Chance): string {
  // Around the bound of a path: seldom, since so much text slows everything down.
  if (chance.maybe(0.02)) return 'p'.repeat(chance.pick([4_095, 4_096, 4_097]))
  if (chance.maybe(0.6)) return chance.pick(hostilePaths)
  const segments = [
    '..',
    '.',
    '',
    'a',
    'b',
    'a.txt',
    '.davit',
    '\\',
    'C:',
    '\0',
    'x\ud800',
    'CON',
    'é',
    '__proto__',
  ]
  return Array.from({ length: 1 + chance.int(5) }, () => chance.pick(segments)).join('/')
}

/** Numbers as JSON spells them; some of them are none. */
export const hostileNumbers: readonly string[] = [
  '0',
  '-0',
  '-1',
  '1',
  '1.5',
  '1e3',
  '1e308',
  '1e309',
  '-1e999',
  '1e-400',
  '2147483648',
  '4294967297',
  '9007199254740991',
  '9007199254740992',
  '-9007199254740991',
  '999999999999',
  '1000000000000',
  '99999999999999999999999999',
  '0x10',
  '010',
  'NaN',
  'Infinity',
  '9'.repeat(400),
]

export const hostileTexts: readonly string[] = [
  '',
  ' ',
  '\0',
  '\u001b]0;x\u0007',
  '\ud800',
  '\udfff\ud800',
  '__proto__',
  'constructor',
  'null',
  '9999-99-99T99:99:99Z',
  '2026-02-30T25:61:61Z',
  '0000-00-00T00:00:00Z',
  '2026-01-02T03:04:05.678Z',
  '+275760-09-13T00:00:00.001Z',
  '<b>x</b>',
  "'; DROP TABLE files; --",
  '%s%n',
  'x'.repeat(513),
  '\u0001'.repeat(512),
  '\u{1f4a9}',
]

/** One of them; seldom one that is longer than any bound of a field. */
export function hostileText(chance: Chance): string {
  return chance.maybe(0.01) ? 'x'.repeat(70_000) : chance.pick(hostileTexts)
}

/** Any JSON, most of it of a wrong type for wherever it stands. */
export function hostileTree(chance: Chance): Tree {
  switch (chance.int(10)) {
    case 0:
      return raw('null')
    case 1:
      return raw(chance.pick(['true', 'false']))
    case 2:
    case 3:
      return raw(chance.pick(hostileNumbers))
    case 4:
      return raw(JSON.stringify(hostilePath(chance)))
    case 5:
    case 6:
      return raw(JSON.stringify(hostileText(chance)))
    case 7:
      return nested(chance)
    case 8:
      return prototype(chance)
    default:
      return raw(
        chance.pick(['[]', '{}', '[[]]', '[null]', '{"a":1}', '""', '"a', '{', 'undefined', '\u0000']),
      )
  }
}

/** Lists or objects within each other, from just too deep to very deep. */
export function nested(chance: Chance): Tree {
  const depth = chance.maybe(0.02) ? 100_000 : chance.pick([31, 32, 33, 63, 65, 99, 101, 400])
  return chance.maybe(0.5)
    ? raw('['.repeat(depth) + ']'.repeat(depth))
    : raw(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`)
}

/** What becomes a prototype in the hands of careless code. */
export function prototype(chance: Chance): Tree {
  const polluted = object([['polluted', raw('true')]])
  return chance.pick([
    object([['__proto__', polluted]]),
    object([['constructor', object([['prototype', polluted]])]]),
    object([['a', object([['__proto__', polluted]])]]),
    raw('[{"__proto__":{"polluted":true}}]'),
    raw('{"\\u005f_proto__":{"polluted":true}}'),
  ])
}
