/**
 * Changesets by their grammar: the operations that an honest instance might commit next on the small store, then
 * changed. Half of the changes keep to the grammar, since only those get past the decoder. The digest is worked out
 * afterwards, so that nothing but the changes themselves is wrong.
 */
import type { Operation } from '../../src/model/changeset.ts'
import type { FileState } from '../../src/model/file-state.ts'
import { sha256Of } from '../support/changesets.ts'
import { type Author, candidate, conflictId, fileId, otherId, put, storedFiles } from './author.ts'
import type { Chance } from './chance.ts'
import {
  hostileNumbers,
  hostilePath,
  hostileText,
  hostileTexts,
  hostileTree,
  nested,
  prototype,
} from './hostile-values.ts'
import { changeForm, changeValue, type Place, print, raw, type Tree, treeOf } from './json-text.ts'

/** Stands in a header for the digest that the lines lead to. */
export const digestMark = 'd1'.repeat(32)

/** What the lines are made of and signed for. */
export type Ground = Pick<Author, 'head' | 'points' | 'fileState' | 'header' | 'digestAfter'>

const times = [
  '2026-01-02T03:04:05.678Z',
  '2026-99-99T99:99:99Z',
  '2026-02-30T00:00:00Z',
  '0000-01-01T00:00:00Z',
  '9999-12-31T23:59:59.999999999Z',
  '2026-01-02T24:00:00Z',
  '2026-12-31T23:59:60Z',
]

/** A whole changeset as text, to be signed. */
export function generateLines(ground: Ground, chance: Chance): string {
  const operations = operationsOn(ground, chance)
  const header = treeOf(ground.header(operations, { digest: digestMark }))
  const lines = operations.map(treeOf)
  for (let changes = chance.pick([0, 0, 0, 1, 1, 2, 3]); changes > 0; changes--) {
    const tree = chance.maybe(0.25) ? header : (chance.pick(lines) ?? header)
    if (chance.maybe(0.35)) changeForm(tree, chance, hostileTree)
    else changeValue(tree, chance, likely)
  }
  let texts = lines.map(print)
  switch (chance.int(14)) {
    case 0:
      texts = chance.shuffle(texts)
      break
    case 1:
      texts.push(chance.pick(texts) ?? '{}')
      break
    case 2:
      texts.splice(chance.int(texts.length + 1), 1)
      break
    case 3:
      texts.splice(
        chance.int(texts.length + 1),
        0,
        chance.pick(['', ' ', '{}', 'null', '[]', '\ufeff{}', print(header)]),
      )
      break
    default:
  }
  // Mostly the header counts what is there: a wrong count is found before anything else is looked at.
  if (chance.maybe(0.9) && header.kind === 'object') {
    for (const field of header.fields) if (field[0] === 'operations') field[1] = raw(String(texts.length))
  }
  const text = [print(header), ...texts].map((line) => `${line}\n`).join('')
  return chance.maybe(0.02) ? text.slice(0, -1) : text
}

/** A value that may stand there by its form, as far as its field tells. */
function likely(chance: Chance, { field, value }: Place): Tree {
  if (chance.maybe(0.3)) return hostileTree(chance)
  switch (field) {
    case 'path':
      return text(hostilePath(chance))
    case 'id':
    case 'fileId':
    case 'instance':
      return text(
        chance.pick([
          fileId(chance.int(8)),
          conflictId,
          otherId,
          'd'.repeat(32),
          '../x',
          fileId(1).toUpperCase(),
        ]),
      )
    case 'hash':
    case 'decided':
    case 'ancestors':
    case 'adopts':
    case 'parent':
      return text(
        chance.pick([someHash(chance), '0'.repeat(64), chance.hex(64), chance.hex(63), 'A'.repeat(64)]),
      )
    case 'at':
    case 'detectedAt':
      return text(chance.pick(times))
    case 'size':
    case 'mtimeUs':
    case 'version':
    case 'operations':
    case 'format':
      return raw(chance.pick(hostileNumbers))
    case 'name':
      return text(chance.pick([...hostileTexts, '../x', `ab/${'a'.repeat(64)}-${'0'.repeat(24)}`]))
    case 'aspect':
      return text(
        chance.pick([
          'content',
          'metadata.x',
          'metadata.',
          'metadata.__proto__',
          'metadata.constructor',
          'metadata.labels',
          'x',
        ]),
      )
    case 'kind':
      return text(
        chance.pick([
          'put',
          'delete',
          'conflict',
          'resolve',
          'object',
          'pack',
          'file',
          'folder',
          '__proto__',
        ]),
      )
    case 'metadata':
    case 'labels':
    case 'value':
      return chance.pick([hostileTree, nested, prototype, someMetadata])(chance)
    default:
      return value.kind === 'raw' && chance.maybe(0.5) ? text(hostileText(chance)) : hostileTree(chance)
  }
}

function text(value: string): Tree {
  return raw(JSON.stringify(value))
}

function someMetadata(chance: Chance): Tree {
  if (chance.maybe(0.05))
    return chance.maybe(0.5)
      ? treeOf({ a: 'x'.repeat(65_520 + chance.int(20)) })
      : treeOf(Object.fromEntries(Array.from({ length: 3_000 }, (_, index) => [`f${index}`, index])))
  return chance.pick([
    treeOf({ labels: ['a', 'a', 'b'] }),
    treeOf({ labels: 'not a list' }),
    treeOf({ labels: [1, null, {}] }),
    treeOf({ constructor: { prototype: 1 } }),
    treeOf({ a: null }),
    treeOf({ a: { b: null } }),
    treeOf({ '': 0, ' ': -0.0, '\u0000': 1e300 }),
    raw('{"n":1e309}'),
    raw('{"n":-0}'),
    raw('{"text":"\\ud800"}'),
  ])
}

function someHash(chance: Chance): string {
  const content = chance.pick([...storedFiles.map(([, , text]) => text), 'the other side', 'new', 'nowhere'])
  return sha256Of(Buffer.from(content))
}

/** One to eight operations, most of them right, some of them against what is there. */
function operationsOn(ground: Ground, chance: Chance): Operation[] {
  return Array.from({ length: 1 + chance.int(chance.pick([1, 3, 8])) }, () => operationOn(ground, chance))
}

function operationOn(ground: Ground, chance: Chance): Operation {
  const [number, path, content] = chance.pick(storedFiles)
  const state = ground.fileState(path, content)
  switch (chance.int(12)) {
    case 0:
    case 1:
      return {
        kind: 'put',
        id: fileId(number),
        before: { hash: state.hash },
        after: otherState(ground, chance, path),
      }
    case 2:
      return put(100 + chance.int(8), otherState(ground, chance, hostilePath(chance) || 'x'))
    case 3:
      return put(
        100 + chance.int(8),
        otherState(ground, chance, chance.pick([path, `${path}/below`, 'b', 'd/e', 'new.txt'])),
      )
    case 4:
      return {
        kind: 'put',
        id: fileId(number),
        before: { path },
        after: { ...state, path: hostilePath(chance) || 'y' },
      }
    case 5:
      return { kind: 'delete', id: fileId(chance.int(8)), before: state }
    case 6:
      return put(110 + chance.int(4), {
        ...state,
        path: chance.pick(['empty', 'f1', 'f1/f2', path]),
        ...asFolder,
      })
    case 7:
      return {
        kind: 'conflict',
        id: chance.pick([conflictId, 'e'.repeat(32)]),
        fileId: fileId(chance.int(8)),
        path,
        conflict: chance.pick(['edit', 'create', 'metadata']),
        aspect: chance.pick(['content', 'metadata.labels', 'metadata.__proto__', 'metadata.x']),
        base: chance.pick([
          null,
          { hash: someHash(chance), size: 3 },
          { hash: someHash(chance), size: 3, value: ['a'] },
        ]),
        add: Array.from({ length: chance.few() }, () => side(chance)),
        remove: Array.from({ length: chance.few() }, () => ({ instance: otherId, hash: someHash(chance) })),
      }
    case 8:
      return {
        kind: 'resolve',
        id: chance.pick([conflictId, conflictId, 'e'.repeat(32)]),
        fileId: fileId(chance.pick([2, 2, 1, 99])),
        strategy: chance.pick(['local', 'remote', 'both', 'merge', 'equal', 'deleted']),
        decided: Array.from({ length: chance.int(4) }, () => someHash(chance)),
        before: {
          path,
          conflict: 'edit',
          aspect: chance.pick(['content', 'content', 'metadata.labels', 'metadata.__proto__']),
          base: null,
          candidates: Array.from({ length: chance.int(3) }, () => side(chance)),
          detectedAt: chance.pick(times),
          version: 3,
        },
      }
    case 9: {
      const hash = someHash(chance)
      const name = `${hash.slice(0, 2)}/${hash}-${chance.hex(24)}`
      return { kind: 'object', hash, size: chance.pick([0, 3, 14, 2 ** 40]), name, before: null }
    }
    case 10:
      return {
        kind: 'notice',
        fileId: fileId(1),
        path: hostilePath(chance) || 'z',
        rule: 'R6-edit-wins',
        detail: 'x',
      }
    default: {
      const hash = chance.hex(64)
      const version = 1 + chance.int(5)
      const name = `checkpoints/${String(version).padStart(12, '0')}-${hash}-${chance.hex(24)}.db`
      const chainHash = ground.points[version - 1]?.hash ?? chance.hex(64)
      return { kind: 'checkpoint', checkpoint: { version, chainHash, name, hash, size: 4_096 }, before: null }
    }
  }
}

const asFolder = { kind: 'folder', size: 0, hash: null, executable: false, mtimeUs: 0 } as const

function side(chance: Chance) {
  const value = chance.maybe(0.3) ? { value: chance.pick([['a'], 1, null, 'x', { a: 1 }]) } : {}
  return {
    ...candidate,
    instance: chance.pick([otherId, otherId, fileId(7), fileId(8)]),
    hash: someHash(chance),
    name: chance.pick(['other', '', '\u0001'.repeat(512)]),
    at: chance.pick(times),
    ...value,
  }
}

function otherState(ground: Ground, chance: Chance, path: string): FileState {
  const state = ground.fileState(path, chance.pick(['new', 'moved', 'nowhere', 'the other side']))
  return {
    ...state,
    size: chance.maybe(0.9) ? state.size : chance.pick([0, 1, 2 ** 31, 2 ** 40, Number.MAX_SAFE_INTEGER]),
    executable: chance.maybe(0.2),
    mtimeUs: chance.pick([0, -1, 1_700_000_000_000_000, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]),
    metadata: chance.maybe(0.8) ? {} : { labels: ['a', 'b'], x: { y: 1 } },
  }
}

/** Puts the right digest in where the mark stands, reading the lines as leniently as can be. */
export function withDigest(plain: Uint8Array, ground: Ground): Uint8Array {
  const text = Buffer.from(plain)
  const at = text.indexOf(digestMark)
  if (at < 0) return plain
  const [first = '', ...rest] = text.toString().split('\n')
  const operations = rest.filter((line) => line !== '').map(lenient) as unknown as Operation[]
  const header = lenient(first) as { readonly at?: unknown }
  const digest = ground.digestAfter(operations, typeof header.at === 'string' ? header.at : '')
  return Buffer.concat([text.subarray(0, at), Buffer.from(digest), text.subarray(at + digestMark.length)])
}

function lenient(line: string): object {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}
