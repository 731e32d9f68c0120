/** How quick the server is, as far as one client feels it. */
import { isDavitError } from '../../model/errors.ts'
import { probeAttemptsMax } from '../../model/limits.ts'
import { headContent } from '../layout.ts'
import { ask, list, type ProbeContext, put } from './client.ts'
import type { PaceFacts, Spread } from './facts.ts'
import type { LargestUpload } from './limits.ts'

/** Below this size or time a rate says nothing. */
const rateBytesMin = 256 * 1024

export async function probePace(
  context: ProbeContext,
  destinationForm: 'absolute' | 'path',
  largest: LargestUpload | null,
): Promise<PaceFacts> {
  const { folder, clock, effort } = context
  const samples = async (count: number, act: (index: number) => Promise<unknown>): Promise<Spread> => {
    const times: number[] = []
    for (let index = 0; index < count; index++) {
      const startedAt = clock.monotonic()
      await act(index)
      times.push(clock.monotonic() - startedAt)
    }
    return spread(times)
  }
  await ask(context, { method: 'MKCOL', name: `${folder}heads/` })
  await put(context, `${folder}heads/0`, headContent)
  const head = await samples(effort.latencySamples, () =>
    ask(context, { method: 'HEAD', name: `${folder}heads/0` }),
  )
  const commit = await samples(Math.ceil(effort.latencySamples / 4), async (index) => {
    await put(context, `${folder}changeset-${index}`, 'c'.repeat(1_000))
    await ask(context, {
      method: 'MOVE',
      name: `${folder}heads/${index}`,
      destination: `${folder}heads/${index + 1}`,
      destinationForm,
      overwrite: false,
    })
    await list(context, `${folder}heads/`)
  })
  const isTelling = largest !== null && largest.bytes >= rateBytesMin
  return {
    head,
    commit,
    uploadRate: isTelling ? rate(largest.bytes, largest.ms) : null,
    downloadRate: isTelling ? await downloadRate(context, largest) : null,
  }
}

/** `null` when the whole body never came: lost answers are not what is measured here. */
async function downloadRate(context: ProbeContext, largest: LargestUpload): Promise<number | null> {
  for (let attempt = 1; attempt <= probeAttemptsMax; attempt++) {
    const startedAt = context.clock.monotonic()
    if (await isDownloaded(context, largest))
      return rate(largest.bytes, context.clock.monotonic() - startedAt)
  }
  return null
}

async function isDownloaded({ clients, signal }: ProbeContext, { name, bytes }: LargestUpload) {
  try {
    const response = await clients[0]?.request({ method: 'GET', name, signal })
    let seen = 0
    for await (const chunk of response?.body ?? []) seen += chunk.length
    return seen === bytes
  } catch (error) {
    if (signal.aborted || !isDavitError(error, 'remote-unreachable')) throw error
    return false
  }
}

function rate(bytes: number, ms: number): number {
  return Math.round((bytes * 1_000) / Math.max(ms, 0.1))
}

export function spread(times: readonly number[]): Spread {
  const sorted = [...times].sort((left, right) => left - right)
  const at = (share: number) =>
    Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) * 100) / 100
  return { samples: sorted.length, median: at(0.5), p95: at(0.95) }
}
