/** Changesets, handed to the decoder. */
import { gunzipSync, gzipSync } from 'node:zlib'
import { changesetPlainBytesMax } from '../../src/model/limits.ts'
import { decodeChangeset, encodeChangeset } from '../../src/remote/changeset-format.ts'
import { sha256Of } from '../support/changesets.ts'
import { Author, sign } from './author.ts'
import type { Chance } from './chance.ts'
import { digestMark, generateLines, withDigest } from './changeset-text.ts'
import { expectThat, type Kind, type Refusal, tryOut } from './kind.ts'
import { mutateBytes } from './mutate-bytes.ts'

const refusal: Refusal = {
  codes: ['remote-damaged', 'remote-newer'],
  names: /^changes\/\d{9}\/\d{12}-[0-9a-f]{64} /,
}

export function changesetKinds(): Kind[] {
  const author = Author.ofSmallStore()
  const version = author.head.version + 1
  const samples = author.points.map((point) =>
    author.files.get(`changes/000000000/${String(point.version).padStart(12, '0')}-${point.hash}`),
  )
  const stored = samples.filter((bytes) => bytes !== undefined)

  async function decode(bytes: Uint8Array): Promise<void> {
    const changeset = await tryOut(() => decodeChangeset({ version, hash: sha256Of(bytes) }, bytes), refusal)
    if (changeset === null) return
    // What is read can be written: an instance carries it on, in a checkpoint or when it republishes.
    const again = encodeChangeset(changeset.header, changeset.operations)
    const plain = (of: Uint8Array) => gunzipSync(of).toString()
    const reread = decodeChangeset(again.point, again.bytes)
    expectThat(
      JSON.stringify(reread.operations) === JSON.stringify(changeset.operations),
      `it says something else once it is written again: ${plain(again.bytes).slice(0, 200)}`,
    )
  }

  return [
    {
      name: 'changeset',
      weight: 8,
      generate: (chance) => Buffer.from(generateLines(author, chance)),
      examine: (plain) => decode(sign(withDigest(plain, author), version).bytes),
    },
    {
      name: 'changeset-bytes',
      weight: 5,
      generate: (chance) => storedBytes(chance, chance.pick(stored), chance.pick(stored), author),
      examine: decode,
    },
  ]
}

/** Stored bytes gone wrong below the grammar: damaged gzip, damaged text within it, layers of it, bombs. */
function storedBytes(chance: Chance, bytes: Uint8Array, other: Uint8Array, author: Author): Uint8Array {
  const plain = gunzipSync(bytes)
  switch (chance.int(12)) {
    case 0:
      return gzipSync(bytes)
    case 1:
      return Buffer.concat([bytes, other])
    case 2:
      return Buffer.concat([bytes, chance.bytes(1 + chance.int(40))])
    case 3:
      // Bombs are dear: seldom, and in several sizes around the bound.
      return chance.maybe(0.95) ? Buffer.alloc(0) : bomb(chance)
    case 4:
      return plain
    case 5:
    case 6:
    case 7:
    case 8:
      return gzipSync(
        mutateBytes(
          plain,
          chance,
          Buffer.from(generateLines(author, chance).replace(digestMark, 'd'.repeat(64))),
        ),
      )
    default:
      return mutateBytes(bytes, chance, other)
  }
}

function bomb(chance: Chance): Uint8Array {
  const size = chance.pick([
    changesetPlainBytesMax - 1,
    changesetPlainBytesMax,
    changesetPlainBytesMax + 1,
    64 * 1024 * 1024,
  ])
  return gzipSync(Buffer.alloc(size, chance.pick(['\n', '[', ' ', '0', '{}\n'])), { level: 1 })
}
