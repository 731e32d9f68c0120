/** What fuzzing has found once, each as one fixed case. */
import fs from 'node:fs'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { openCheckpoint, readCheckpointToTheEnd } from '../../src/database/read-checkpoint.ts'
import { nestsDeeper } from '../../src/instance/yaml-depth.ts'
import type { Operation } from '../../src/model/changeset.ts'
import { DavitError } from '../../src/model/errors.ts'
import { checkpointBytesMax, messageLengthMax } from '../../src/model/limits.ts'
import { Author, candidate, conflictId, fileId, put } from './author.ts'
import { CheckpointForge } from './hostile-checkpoints.ts'
import type { Kind } from './kind.ts'
import { decoderKinds } from './kinds.ts'
import { storeKinds } from './kinds-store.ts'
import { complaintOf } from './run.ts'
import { makeScratchFolder } from './scratch.ts'

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

describe('a configuration', () => {
  it('that nests a hundred thousand deep is refused at once', async () => {
    const deep = '{"a":'.repeat(100_000)
    expect(await complaint('configuration', `remote: ${deep}1${'}'.repeat(100_000)}\n`)).toBe(null)
  })

  it.each(['? ', '[', '- ', '{a: ', '[? '])(
    'of %s a thousand times over is refused for its depth',
    (text) => {
      expect(nestsDeeper(text.repeat(1_000), 20)).toBe(true)
      expect(nestsDeeper(text.repeat(5), 20)).toBe(false)
    },
  )
})

describe('an ignore file', () => {
  it('with a pattern that would take hours over a deep folder is refused by name', async () => {
    expect(await complaint('ignore-file', `${'a/**/'.repeat(12)}c`)).toBe(null)
  })
})

describe('a checkpoint', () => {
  it('that claims more than any may have, or that never ends, is refused unread', () => {
    const folder = makeScratchFolder('sparse')
    const file = path.join(folder, 'sparse.db')
    const forge = new CheckpointForge(Author.ofSmallStore())
    try {
      fs.writeFileSync(file, forge.honest)
      fs.truncateSync(file, 2 * checkpointBytesMax)
      expect(() => openCheckpoint(file)).toThrow(/checkpoint is damaged: it is empty, cut off or too large/)
      const endless = 'WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS id FROM n'
      fs.writeFileSync(file, forge.rewrite(`DROP TABLE files; CREATE VIEW files AS ${endless}`))
      expect(() => openCheckpoint(file)).toThrow(
        /checkpoint is damaged: its tables are not those of a checkpoint/,
      )
    } finally {
      forge.close()
      fs.rmSync(folder, { recursive: true })
    }
  })
})

describe('what no changeset could carry', () => {
  const rows = [
    ['an empty path', "UPDATE files SET path = '' WHERE path = 'a.txt'"],
    ['a time in another form', "UPDATE files SET deleted_at = 'yesterday' WHERE deleted_at IS NOT NULL"],
    ['a lone surrogate', `UPDATE files SET metadata = '{"t":"\\ud800"}' WHERE path = 'a.txt'`],
    ['a number that there is not', `UPDATE files SET metadata = '{"n":1e999}' WHERE path = 'a.txt'`],
    ['a field that says null', `UPDATE files SET metadata = '{"n":null}' WHERE path = 'a.txt'`],
    [
      'deep nesting',
      `UPDATE files SET metadata = '{"n":${'['.repeat(40)}${']'.repeat(40)}}' WHERE path = 'a.txt'`,
    ],
    ['a folder with a size', "UPDATE files SET size = 1 WHERE kind = 'folder'"],
    ['a conflict about a field called __proto__', "UPDATE conflicts SET aspect = 'metadata.__proto__'"],
  ] as const

  it.each(rows)('is refused in a checkpoint: %s', (_, statement) => {
    const folder = makeScratchFolder('rows')
    const forge = new CheckpointForge(Author.ofSmallStore())
    try {
      const file = path.join(folder, 'forged.db')
      fs.writeFileSync(file, forge.change(statement))
      expect(() => readCheckpointToTheEnd(file)).toThrow(/^the checkpoint is damaged/)
    } finally {
      forge.close()
      fs.rmSync(folder, { recursive: true })
    }
  })
})

describe('an instance', () => {
  const stores = storeKinds()
  afterAll(async () => {
    for (const kind of stores) await kind.close?.()
  })
  const complaintAbout = (name: string, object: Uint8Array) =>
    complaintOf(stores.find((kind) => kind.name === name) as Kind, object)
  const lines = (author: Author, operations: readonly Operation[]) =>
    Buffer.from(
      [author.header(operations), ...operations].map((line) => `${JSON.stringify(line)}\n`).join(''),
    )

  it('that is new does not take a checkpoint which agrees with nothing but itself', async () => {
    const forge = new CheckpointForge(Author.ofSmallStore())
    try {
      // The same chain by name, another state behind it.
      const forged = forge.change(
        `UPDATE files SET deleted_version = 3, deleted_at = '${candidate.at}' WHERE path = 'a.txt'`,
      )
      expect(Buffer.from(forged).equals(forge.honest)).toBe(false)
      expect(await complaintAbout('store-checkpoint', forged)).toBe(null)
    } finally {
      forge.close()
    }
  })

  it('refuses a changeset that puts a second file at a path', async () => {
    const author = Author.ofSmallStore()
    const twin = put(77, author.fileState('b/moved.txt', 'moved'))
    expect(await complaintAbout('store-changeset', lines(author, [twin]))).toBe(null)
  })

  it('takes the other files when one is said to be larger than any disk', async () => {
    const author = Author.ofSmallStore()
    const state = { ...author.fileState('0-first.bin', 'moved'), size: Number.MAX_SAFE_INTEGER }
    expect(await complaintAbout('store-changeset', lines(author, [put(77, state)]))).toBe(null)
  })

  it('names the changeset that is of another replica set', async () => {
    const author = Author.ofSmallStore()
    const notice = {
      kind: 'notice',
      fileId: fileId(1),
      path: 'a.txt',
      rule: 'R6-edit-wins',
      detail: 'x',
    } as const
    const header = author.header([notice], { replicaSet: 'another' })
    const text = [header, notice].map((line) => `${JSON.stringify(line)}\n`).join('')
    expect(await complaintAbout('store-changeset', Buffer.from(text))).toBe(null)
  })

  it('leaves files of any length in instances/ alone, and its runs end well', async () => {
    const name = '01900000-0000-7000-8000-00000000000c-0123456789abcdef01234567'
    expect(await complaintAbout('store-names', Buffer.from(`instances/\t${name}\t9000`))).toBe(null)
  })
})
