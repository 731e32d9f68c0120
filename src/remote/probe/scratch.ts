/**
 * The one folder that a probe writes into. It is made under a name that nobody else uses, and removed afterwards,
 * whatever happened; what a killed probe left is removed by the next one. Nothing outside of such folders is touched.
 */
import { isDavitError } from '../../model/errors.ts'
import { probeAbandonedMs, probeFolderDepthMax } from '../../model/limits.ts'
import { answerError } from '../answer.ts'
import { parseProbeFolder } from '../layout.ts'
import type { Transport } from '../transport.ts'
import { ask, isDone, list, type ProbeContext } from './client.ts'

/** Who makes a scratch folder, and who of those that left one is gone. */
export interface ProbeOwner {
  /** Names this process: `<16 hexadecimal digits>-<pid>-<start>`, the machine, the process, and when it began. */
  readonly tag: string
  /** Whether the process of a tag is gone; `null` where that cannot be told from here. */
  isGone(tag: string): boolean | null
}

/** Makes the folder under a name of `probeFolder`; rejects as the server refuses it. */
export async function makeScratch(context: ProbeContext): Promise<void> {
  const asked = { method: 'MKCOL', name: context.folder } as const
  const { status, headers, failure } = await ask(context, asked)
  // An answer that was lost and asked for again: 405 says that it is there, and nobody else makes this name.
  if (isDone(status) || status === 405) return
  if (failure !== null) throw failure
  const transport = context.clients[0] as Transport
  const response = { status: status ?? 0, headers, body: nothing(), discard: async () => {} }
  throw answerError({ transport, clock: context.clock }, asked, response, '201')
}

/** Removes what probes left whose process is gone, or is of another machine and old. Answers how many. */
export async function removeAbandoned(
  context: ProbeContext,
  owner: ProbeOwner,
  now: number,
): Promise<number> {
  const { listing } = await list(context, '')
  let removed = 0
  for (const { name } of listing?.entries ?? []) {
    const left = parseProbeFolder(name)
    if (left === null || left.owner === owner.tag) continue
    const isGone = owner.isGone(left.owner) ?? now - left.startedAt > probeAbandonedMs
    if (isGone && (await removeFolder(context, `${name}/`))) removed++
  }
  return removed
}

/** Whether the folder is gone afterwards. What hinders it is an answer, too: the next probe tries again. */
export async function removeFolder(context: ProbeContext, folder: string, depth = 0): Promise<boolean> {
  try {
    await ask(context, { method: 'DELETE', name: folder })
    const { status, listing } = await list(context, folder)
    if (status === 404) return true
    if (listing === null || depth >= probeFolderDepthMax) return false
    // A server that deletes no folder that holds something. ORDER: one after the other; some servers die of more.
    for (const { name, isCollection } of listing.entries) {
      const path = folder + encodeURIComponent(name)
      if (isCollection) await removeFolder(context, `${path}/`, depth + 1)
      else await ask(context, { method: 'DELETE', name: path })
    }
    await ask(context, { method: 'DELETE', name: folder })
    return (await list(context, folder)).status === 404
  } catch (error) {
    context.signal.throwIfAborted()
    if (!isDavitError(error)) throw error
    return false
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
