/** Small valid changesets, contents and sources for tests of the store. */
import { createHash } from 'node:crypto'
import type { ChainPoint, ChangesetHeader, Operation } from '../../src/model/changeset.ts'
import { emptyStorePoint } from '../../src/model/changeset.ts'
import type { Random } from '../../src/model/clock.ts'
import type { ContentSource } from '../../src/model/content.ts'
import { ancestorsMax } from '../../src/model/limits.ts'
import { encodeChangeset } from '../../src/remote/changeset-format.ts'

export const replicaSet = '01900000-0000-7000-8000-000000000001'

/** A header that follows on `chain` (oldest first, without version 0). */
export function headerAfter(
  chain: readonly ChainPoint[],
  random: Random,
  operations = 0,
  instance = '01900000-0000-7000-8000-00000000000a',
): ChangesetHeader {
  const parent = chain.at(-1) ?? emptyStorePoint
  return {
    format: 1,
    version: parent.version + 1,
    parent: parent.hash,
    replicaSet,
    instance: { id: instance, name: 'laptop', incarnation: 'i1' },
    nonce: random.hex(16),
    at: '2026-01-02T03:04:05.678Z',
    operations,
    ancestors: chain
      .slice(-ancestorsMax)
      .map((point) => point.hash)
      .reverse(),
    adopts: [],
    digest: 'd'.repeat(64),
    checkpoint: null,
  }
}

export function fileOperation(random: Random, path = `notes/${random.hex(4)}.md`): Operation {
  return {
    kind: 'put',
    id: random.uuid(),
    before: null,
    after: {
      path,
      kind: 'file',
      size: 3,
      hash: sha256Of(new TextEncoder().encode('abc')),
      executable: false,
      mtimeUs: 1_700_000_000_000_001,
      metadata: { labels: ['a'] },
    },
  }
}

/** Encoded changesets 1 … length, each on top of the other. */
export function encodeChain(length: number, random: Random, from: readonly ChainPoint[] = []) {
  const chain = [...from]
  const encoded: { point: ChainPoint; bytes: Uint8Array }[] = []
  for (let count = 0; count < length; count++) {
    const changeset = encodeChangeset(headerAfter(chain, random, 1), [fileOperation(random)])
    chain.push(changeset.point)
    encoded.push(changeset)
  }
  return encoded
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

export function sourceOf(bytes: Uint8Array, chunkBytes = 64 * 1024): ContentSource {
  return {
    size: bytes.length,
    open: async function* () {
      for (let start = 0; start < bytes.length; start += chunkBytes)
        yield bytes.subarray(start, start + chunkBytes)
    },
  }
}

/** Collects what is written; counts restarts. */
export function collectingSink() {
  let chunks: Uint8Array[] = []
  let restarts = 0
  return {
    write: (chunk: Uint8Array) => void chunks.push(Buffer.from(chunk)),
    restart: () => {
      chunks = []
      restarts++
    },
    bytes: () => Buffer.concat(chunks),
    restarts: () => restarts,
  }
}
