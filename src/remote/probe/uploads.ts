/** What becomes of uploads that are cut in the middle, and what readers see while a file is replaced. */
import type { ContentSource } from '../../model/content.ts'
import { DavitError, isDavitError } from '../../model/errors.ts'
import { ask, get, type ProbeContext, put, sameBytes } from './client.ts'
import type { UploadFacts } from './facts.ts'

const cutBytes = 256 * 1024
const replacedBytes = 192 * 1024
/** Looks after a cut, since a server may notice it a little later, and the time between two of them. */
const looksMax = 6
const lookMs = 40
/** Sent before the cut is made: the server shall have begun to write. */
const beforeCutMs = 60

export async function probeUploads(context: ProbeContext): Promise<UploadFacts> {
  return {
    cutNew: await cutNew(context),
    cutOld: await cutOld(context),
    replacing: await replaceUnderReaders(context),
  }
}

async function cutNew(context: ProbeContext): Promise<UploadFacts['cutNew']> {
  const name = `${context.folder}cut-new`
  await cutUpload(context, name)
  for (let looks = 0; looks < looksMax; looks++) {
    if (looks > 0) await context.clock.sleep(lookMs, context.signal)
    const { status, body } = await get(context, name)
    if (status === 200) return body.length === cutBytes ? 'whole' : 'part'
  }
  return 'nothing'
}

async function cutOld(context: ProbeContext): Promise<UploadFacts['cutOld']> {
  const name = `${context.folder}cut-old`
  const old = 'the old content, whole'
  await put(context, name, old)
  await cutUpload(context, name)
  for (let looks = 0; looks < looksMax; looks++) {
    if (looks > 0) await context.clock.sleep(lookMs, context.signal)
    const { status, body } = await get(context, name)
    if (status === 404) return 'gone'
    if (status === 200 && !sameBytes(body, old)) return body.length === cutBytes ? 'replaced' : 'part'
  }
  return 'kept'
}

/** Sends half of a body under its full length; then the connection is cut, as by a network that goes away. */
async function cutUpload(context: ProbeContext, name: string): Promise<void> {
  const source: ContentSource = {
    size: cutBytes,
    async *open() {
      for (let sent = 0; sent < cutBytes / 2; sent += 16 * 1024) yield new Uint8Array(16 * 1024).fill(120)
      await context.clock.sleep(beforeCutMs, context.signal)
      throw new DavitError('stopped', 'cut on purpose', { action: 'give-up' })
    },
  }
  const [client] = context.clients
  try {
    const response = await client?.request({ method: 'PUT', name, body: source, signal: context.signal })
    await response?.discard()
  } catch (error) {
    context.signal.throwIfAborted()
    if (!isDavitError(error, 'stopped', 'remote-unreachable')) throw error
  }
}

async function replaceUnderReaders(context: ProbeContext): Promise<UploadFacts['replacing']> {
  const name = `${context.folder}replaced`
  const contents = ['a', 'b'].map((letter) => new TextEncoder().encode(letter.repeat(replacedBytes)))
  const tally = { reads: 0, part: 0, missing: 0, failed: 0 }
  await put(context, name, contents[0] as Uint8Array)
  let isOver = false

  async function write(): Promise<void> {
    try {
      for (let round = 1; round <= context.effort.replaceRounds; round++)
        await put(context, name, contents[round % 2] as Uint8Array)
    } finally {
      isOver = true
    }
  }

  async function read(client: number): Promise<void> {
    while (!isOver) {
      const { status, body } = await ask(context, { method: 'GET', name }, { client, attempts: 1 })
      tally.reads++
      if (status === 404) tally.missing++
      else if (status !== 200) tally.failed++
      else if (!contents.some((content) => sameBytes(body, content))) tally.part++
    }
  }

  await Promise.all([write(), ...context.clients.slice(1).map((_, index) => read(index + 1))])
  return tally
}
