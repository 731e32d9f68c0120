/** How large a body and how long a path may be, up to a bound. */
import type { ContentSource } from '../../model/content.ts'
import { contentLength } from '../answer.ts'
import { ask, get, isDone, type ProbeContext, put, sameBytes } from './client.ts'
import type { FoundLimit, LimitFacts, Status } from './facts.ts'

const firstBytes = 1024 * 1024
const blockBytes = 64 * 1024
/** Just above what the store needs, and beyond the length of a scratch folder's own name. */
const firstChars = 120
const stepChars = 100

export interface LargestUpload {
  readonly name: string
  readonly bytes: number
  readonly ms: number
}

/** `largest` is left in the folder, to be downloaded. */
export async function probeLimits(
  context: ProbeContext,
): Promise<{ readonly limits: LimitFacts; readonly largest: LargestUpload | null }> {
  const { body, largest } = await probeBody(context)
  return { limits: { body, path: await probePath(context) }, largest }
}

/** Doubles until something is refused, takes too long or is at the bound; then goes half-way back and forth. */
async function probeBody(
  context: ProbeContext,
): Promise<{ readonly body: FoundLimit; readonly largest: LargestUpload | null }> {
  const { bodyBytesMax, bodyMsMax } = context.effort
  const block = Buffer.from(context.random.hex(blockBytes), 'hex')
  let largest: LargestUpload | null = null
  let accepted = 0
  let refused: number | null = null
  let status: Status = null

  async function isAccepted(bytes: number): Promise<boolean> {
    const name = `${context.folder}body-${bytes}`
    const startedAt = context.clock.monotonic()
    // A body that is refused early often ends in a cut connection: that is an answer, too, if it comes twice.
    const told = await ask(context, { method: 'PUT', name, body: sourceOf(block, bytes) }, { attempts: 2 })
    const ms = context.clock.monotonic() - startedAt
    if (!isDone(told.status) || !(await isWhole(context, name, bytes))) {
      status = told.status
      return false
    }
    if (largest !== null) await ask(context, { method: 'DELETE', name: largest.name })
    largest = { name, bytes, ms }
    return true
  }

  for (let bytes = Math.min(firstBytes, bodyBytesMax); refused === null; ) {
    if (await isAccepted(bytes)) accepted = bytes
    else refused = bytes
    const last = largest as LargestUpload | null
    if (bytes >= bodyBytesMax || (last !== null && last.ms > bodyMsMax)) break
    bytes = Math.min(2 * bytes, bodyBytesMax)
  }
  while (refused !== null && refused - accepted > Math.max(blockBytes, accepted / 16)) {
    const middle: number = Math.floor((accepted + refused) / 2)
    if (await isAccepted(middle)) accepted = middle
    else refused = middle
  }
  return { body: { accepted, refused, status: refused === null ? null : status }, largest }
}

async function isWhole(context: ProbeContext, name: string, bytes: number): Promise<boolean> {
  const told = await ask(context, { method: 'HEAD', name })
  if (told.status !== 200) return false
  const length = contentLength(told)
  return length === null || length === bytes
}

/** The same random block again and again: nothing on the way makes it smaller. */
function sourceOf(block: Uint8Array, bytes: number): ContentSource {
  return {
    size: bytes,
    async *open() {
      for (let left = bytes; left > 0; left -= block.length)
        yield left >= block.length ? block : block.subarray(0, left)
    },
  }
}

/** Folders in folders, until one, or a file in it, is refused. Counted from the root of the transports. */
async function probePath(context: ProbeContext): Promise<FoundLimit> {
  let { folder } = context
  let accepted = 0
  for (let chars = firstChars; ; chars += stepChars) {
    const file = folder + 'f'.repeat(chars - folder.length)
    const told = await put(context, file, 'deep')
    const found = await get(context, file)
    if (!isDone(told.status) || !sameBytes(found.body, 'deep'))
      return { accepted, refused: chars, status: told.status }
    accepted = chars
    if (chars + stepChars > context.effort.pathCharsMax) return { accepted, refused: null, status: null }
    folder = `${folder}${'d'.repeat(stepChars - 1)}/`
    await ask(context, { method: 'MKCOL', name: folder })
  }
}
