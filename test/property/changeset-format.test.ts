import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Changeset, Operation } from '../../src/model/changeset.ts'
import { isDavitError } from '../../src/model/errors.ts'
import { canonicalJson, type JsonValue } from '../../src/model/json.ts'
import { changesetPlainBytesMax } from '../../src/model/limits.ts'
import { decodeChangeset, encodeChangeset, sha256 } from '../../src/remote/changeset-format.ts'
import { encodeChain, fileOperation, headerAfter } from '../support/changesets.ts'
import { createSeededRandom } from '../support/virtual-clock.ts'

const random = createSeededRandom(5)
const hash = fc.constantFrom('a', 'b', '0').map((digit) => digit.repeat(64))
const uuid = fc.constantFrom('01900000-0000-7000-8000-00000000000a', '01900000-0000-7000-8000-00000000000b')
const text = fc.string({ unit: 'binary', maxLength: 20 })
// Hostile paths are data here: only the engine judges them.
const path = fc.oneof(
  text.filter((value) => value !== '' && !value.includes('\0')),
  fc.constantFrom('../../etc/passwd', '/etc/passwd', 'a//b', '.davit/token', '__proto__', 'e\u0301', 'a\nb'),
)
const fieldValue = fc
  .jsonValue({ maxDepth: 2, noUnicodeString: false })
  .filter((value) => value !== null) as fc.Arbitrary<JsonValue>
const metadata = fc
  .dictionary(text, fieldValue, {
    maxKeys: 3,
  })
  .map((value) => JSON.parse(JSON.stringify(value)) as { [field: string]: JsonValue })
  .filter((value) => !JSON.stringify(value).includes('__proto__'))
const time = fc.constant('2026-01-02T03:04:05.678Z')
const size = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const file = fc.record({
  path,
  kind: fc.constant('file' as const),
  size,
  hash,
  executable: fc.boolean(),
  mtimeUs: fc.maxSafeInteger(),
  metadata,
})
const folder = path.map((at) => ({
  path: at,
  kind: 'folder' as const,
  size: 0,
  hash: null,
  executable: false,
  mtimeUs: 0,
  metadata: {},
}))
const state = fc.oneof(file, folder)
const candidate = fc.record({ instance: uuid, name: text, hash, size, at: time })
const base = fc.option(fc.record({ hash, size }))
const aspect = fc.constantFrom('content' as const, 'metadata.labels' as const)
const id = fc.constant('c'.repeat(32))
const kind = fc.constantFrom('edit' as const, 'create' as const, 'metadata' as const)
const contentAt = hash.map((value) => `${value.slice(0, 2)}/${value}-${'0'.repeat(24)}`)
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({
    kind: fc.constant('put' as const),
    id: uuid,
    before: fc.option(fc.record({ path, size, metadata }, { requiredKeys: [] })),
    after: state,
  }),
  fc.record({ kind: fc.constant('delete' as const), id: uuid, before: state }),
  fc.record({
    kind: fc.constant('conflict' as const),
    id,
    fileId: uuid,
    path,
    conflict: kind,
    aspect,
    base,
    add: fc.uniqueArray(candidate, { maxLength: 3, selector: ({ instance }) => instance }),
    remove: fc.array(fc.record({ instance: uuid, hash }), { maxLength: 3 }),
  }),
  fc.record({
    kind: fc.constant('resolve' as const),
    id,
    fileId: uuid,
    strategy: fc.constantFrom('local' as const, 'merge' as const, 'deleted' as const),
    decided: fc.array(hash, { maxLength: 3 }),
    before: fc.record({
      path,
      conflict: kind,
      aspect,
      base,
      candidates: fc.uniqueArray(candidate, { maxLength: 3, selector: ({ instance }) => instance }),
      detectedAt: time,
      version: fc.integer({ min: 1, max: 1000 }),
    }),
  }),
  fc.tuple(hash, size).map(([of, bytes]) => ({
    kind: 'object' as const,
    hash: of,
    size: bytes,
    name: `${of.slice(0, 2)}/${of}-${'1'.repeat(24)}`,
    before: null,
  })),
  fc.tuple(contentAt, hash).map(([before, of]) => ({
    kind: 'object' as const,
    hash: of,
    size: 1,
    name: `${of.slice(0, 2)}/${of}-${'2'.repeat(24)}`,
    before,
  })),
)

/** Lines of a changeset, changed and signed anew, so that only the grammar stands between them and the reader. */
function resign(changeset: { bytes: Uint8Array }, version: number, change: (lines: string[]) => string[]) {
  const lines = gunzipSync(changeset.bytes).toString().slice(0, -1).split('\n')
  const bytes = gzipSync(Buffer.from(`${change(lines).join('\n')}\n`))
  return { point: { version, hash: sha256(bytes) }, bytes }
}

function codeOf(decode: () => Changeset): string {
  try {
    decode()
    return 'accepted'
  } catch (error) {
    if (isDavitError(error)) return error.code
    throw error
  }
}

describe('the bytes of a changeset', () => {
  it('say the same after they were written and read', () => {
    fc.assert(
      fc.property(
        fc.array(operation, { maxLength: 12 }),
        fc.integer({ min: 0, max: 40 }),
        (operations, length) => {
          const chain = encodeChain(length, random).map((each) => each.point)
          const header = headerAfter(chain, random, operations.length)
          const { point, bytes } = encodeChangeset(header, operations)
          const read = decodeChangeset(point, bytes)
          expect(read.header).toEqual(header)
          expect(canonicalJson(read.operations as unknown as JsonValue)).toBe(
            canonicalJson(JSON.parse(JSON.stringify(operations)) as JsonValue),
          )
        },
      ),
      { numRuns: 150, seed: 1 },
    )
  })

  it('changed in any way are refused as damaged, or as newer, and never crash the reader', () => {
    const original = encodeChain(3, random).at(-1)!
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1 }),
        fc.nat(),
        fc.constantFrom(
          '',
          '"',
          '{',
          '}',
          '9e999',
          '-1',
          'null',
          '\\ud800',
          '{"__proto__":1}',
          '\n',
          '\0',
          '[]',
          '1.5',
        ),
        fc.nat({ max: 6 }),
        (line, at, inserted, removed) => {
          const { point, bytes } = resign(original, 3, (lines) =>
            lines.map((each, index) => {
              if (index !== line) return each
              const start = at % each.length
              return each.slice(0, start) + inserted + each.slice(start + removed)
            }),
          )
          expect(['accepted', 'remote-damaged', 'remote-newer']).toContain(
            codeOf(() => decodeChangeset(point, bytes)),
          )
        },
      ),
      { numRuns: 1_500, seed: 2 },
    )
  })

  it('cut or flipped anywhere do not match their name', () => {
    const { point, bytes } = encodeChain(1, random)[0]!
    for (let at = 0; at < bytes.length; at++) {
      expect(codeOf(() => decodeChangeset(point, bytes.subarray(0, at)))).toBe('remote-damaged')
      const flipped = Uint8Array.from(bytes)
      flipped[at] = (flipped[at] as number) ^ 1
      expect(codeOf(() => decodeChangeset(point, flipped))).toBe('remote-damaged')
    }
  })
})

describe('hostile changesets, correctly signed', () => {
  const original = encodeChain(2, random).at(-1)!
  const edit = (line: number, change: (value: { after?: object }) => unknown) => {
    const { point, bytes } = resign(original, 2, (lines) =>
      lines.map((each, index) => (index === line ? JSON.stringify(change(JSON.parse(each))) : each)),
    )
    return codeOf(() => decodeChangeset(point, bytes))
  }
  const stated = (fields: object) => edit(1, (value) => ({ ...value, after: { ...value.after, ...fields } }))

  it.each([
    ['a later format', edit(0, (value) => ({ ...value, format: 2, more: true })), 'remote-newer'],
    ['an unknown kind of operation', edit(1, () => ({ kind: 'pack', anything: 1 })), 'remote-newer'],
    ['another version in the header', edit(0, (value) => ({ ...value, version: 3 })), 'remote-damaged'],
    [
      'a parent that is not the first ancestor',
      edit(0, (value) => ({ ...value, parent: 'e'.repeat(64) })),
      'remote-damaged',
    ],
    ['too few ancestors', edit(0, (value) => ({ ...value, ancestors: [] })), 'remote-damaged'],
    ['a wrong count of operations', edit(0, (value) => ({ ...value, operations: 2 })), 'remote-damaged'],
    ['an unknown field', edit(1, (value) => ({ ...value, extra: 1 })), 'remote-damaged'],
    ['an inherited name as a kind', edit(1, () => ({ kind: 'constructor' })), 'remote-newer'],
    ['a negative size', stated({ size: -1 }), 'remote-damaged'],
    ['an unsafe integer', stated({ size: 2 ** 53 }), 'remote-damaged'],
    ['a file without a hash', stated({ hash: null }), 'remote-damaged'],
    ['a path with a NUL', stated({ path: 'a\0b' }), 'remote-damaged'],
    ['a path that is too long', stated({ path: 'ä'.repeat(2_100) }), 'remote-damaged'],
    ['a metadata field that says null', stated({ metadata: { a: null } }), 'remote-damaged'],
    ['metadata that are too long', stated({ metadata: { a: 'x'.repeat(70_000) } }), 'remote-damaged'],
    ['a path that climbs, as data', stated({ path: '../../etc/passwd' }), 'accepted'],
  ])('%s: %#', (_, actual, expected) => {
    expect(actual).toBe(expected)
  })

  it('a field called __proto__, at any depth, is refused and pollutes nothing', () => {
    const { point, bytes } = resign(original, 2, (lines) =>
      lines.map((each, index) => (index === 1 ? each.replace('"labels"', '"__proto__"') : each)),
    )
    expect(codeOf(() => decodeChangeset(point, bytes))).toBe('remote-damaged')
    expect(({} as { 0?: unknown })[0]).toBeUndefined()
  })

  it('a bomb is stopped at the bound of a changeset, and so are too many lines', () => {
    for (const plain of [
      Buffer.alloc(changesetPlainBytesMax * 8, 0x20),
      Buffer.alloc(100_000, 0x0a),
      Buffer.alloc(0),
    ]) {
      const bytes = gzipSync(plain)
      expect(codeOf(() => decodeChangeset({ version: 1, hash: sha256(bytes) }, bytes))).toBe('remote-damaged')
    }
  })

  it('the writer refuses what no reader would take', () => {
    const header = headerAfter([], random, 1)
    const operation = fileOperation(random)
    for (const [wrongHeader, operations] of [
      [{ ...header, operations: 2 }, [operation]],
      [header, [{ ...operation, id: 'not-an-id' } as Operation]],
      [{ ...header, operations: 5_001 }, Array.from({ length: 5_001 }, () => operation)],
      [{ ...header, nonce: '' }, [operation]],
    ] as const) {
      expect(() => encodeChangeset(wrongHeader, operations)).toThrowError(
        expect.objectContaining({ code: 'internal' }),
      )
    }
  })
})
