/** Small contents into memory: for merging, and for showing the sides of a conflict. */
import { DavitError } from '../model/errors.ts'
import type { ContentHash } from '../model/file-state.ts'
import type { SyncContext } from './context.ts'

/** Rejects with `not-found` when the store has no such content, `bad-request` beyond `sizeMax` bytes. */
export async function fetchContent(
  context: SyncContext,
  hash: ContentHash,
  sizeMax: number,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const row = context.database.contents.find(hash)
  if (row === null)
    throw new DavitError('not-found', 'the store does not have this content', {
      action: 'give-up',
      details: { hash },
    })
  if (row.size > sizeMax) {
    throw new DavitError('bad-request', `the content is larger than ${sizeMax} bytes`, { action: 'give-up' })
  }
  let chunks: Uint8Array[] = []
  await context.remote.readContent(
    row.name,
    { hash, size: row.size },
    {
      write: (chunk) => {
        chunks.push(Uint8Array.from(chunk))
      },
      restart: () => {
        chunks = []
      },
    },
    signal,
  )
  return Buffer.concat(chunks)
}

/** A content held in memory, as a source for an upload or a staged file. */
export function memorySource(content: Uint8Array) {
  return {
    size: content.length,
    async *open() {
      yield content
    },
  }
}
