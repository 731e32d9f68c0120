/** What fuzzing has found once, each as one fixed case. */
import { afterAll, describe, expect, it } from 'vitest'
import { DavitError } from '../../src/model/errors.ts'
import { messageLengthMax } from '../../src/model/limits.ts'
import { Author, candidate, conflictId, fileId } from './author.ts'
import type { Kind } from './kind.ts'
import { decoderKinds } from './kinds.ts'
import { complaintOf } from './run.ts'

const kinds = decoderKinds()
afterAll(async () => {
  for (const kind of kinds) await kind.close?.()
})

function kindCalled(name: string): Kind {
  const kind = kinds.find((each) => each.name === name)
  if (kind === undefined) throw new Error(`there is no kind '${name}'`)
  return kind
}

/** What an object breaks; `null` is how it must be. */
function complaint(kind: string, object: string): Promise<string | null> {
  return complaintOf(kindCalled(kind), Buffer.from(object))
}

describe('a listing', () => {
  it('that ends in comments and one odd character is refused at once', async () => {
    const listing = `<multistatus xmlns="DAV:"></multistatus>${'<!---->'.repeat(60)}x`
    expect(await complaint('multistatus', listing)).toBe(null)
  })

  it('that ends in one long tag is refused at once', async () => {
    expect(await complaint('multistatus', `<multistatus/><${'multistatus'.repeat(100_000)}`)).toBe(null)
  })
})

describe("an instance's file", () => {
  it('that is too long is left out, and stops nobody', async () => {
    expect(await complaint('instance-file', 'x'.repeat(8_193))).toBe(null)
  })
})

describe('a message', () => {
  it('quotes no more than fits a sentence', () => {
    const { message } = new DavitError('bad-request', `it begins ${'x'.repeat(1_000_000)} and ends`, {
      action: 'ask',
    })
    expect(message.length).toBeLessThanOrEqual(messageLengthMax)
    expect(message).toMatch(/^it begins x+…x+ and ends$/)
  })

  it('about a changeset with an endless field name is short', async () => {
    expect(await complaint('changeset', `{"format":1,"${'x'.repeat(1_000_000)}":1}\n`)).toBe(null)
  })
})

describe('what no checkpoint could hold', () => {
  const author = Author.ofSmallStore()
  const commits = [
    [
      'a time that there is not',
      () =>
        author.commit([{ kind: 'delete', id: fileId(1), before: author.fileState('a.txt', '') }], {
          at: '2026-99-99T99:99:99Z',
        }),
    ],
    [
      'a conflict in which one instance speaks twice',
      () => author.commit([conflictWith([candidate, { ...candidate, hash: 'a'.repeat(64) }])]),
    ],
    [
      'a conflict about a field called __proto__',
      () => author.commit([{ ...conflictWith([candidate]), aspect: 'metadata.__proto__' }]),
    ],
  ] as const

  it.each(commits)('is refused in a changeset: %s', (_, commit) => {
    expect(commit).toThrow(/a changeset cannot be written/)
  })

  function conflictWith(add: readonly (typeof candidate | object)[]) {
    return {
      kind: 'conflict',
      id: conflictId,
      fileId: fileId(1),
      path: 'a.txt',
      conflict: 'edit',
      aspect: 'content',
      base: null,
      add: add as never,
      remove: [],
    } as const
  }
})
