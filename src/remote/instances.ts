/** One small file for each instance, written by it alone. For people and for counting; nothing is decided by it. */
import { z } from 'zod'
import { DavitError, isDavitError } from '../model/errors.ts'
import { instanceFileBytesMax, instancesMax, readAheadMax } from '../model/limits.ts'
import { isEncoded, readBody, type StoreContext } from './answer.ts'
import { sha256 } from './changeset-format.ts'
import type { Folders } from './folders.ts'
import { instanceName, instancesFolder, parseInstanceName } from './layout.ts'
import { listCollection } from './list-collection.ts'
import type { RemoteInstance } from './remote.ts'
import { uploadObject } from './upload.ts'

const grammar = z.object({
  id: z.string(),
  name: z.string().max(512),
  incarnation: z.string().max(128),
  version: z.int().min(0),
  seenAt: z.iso.datetime(),
})

/** Writes under a fresh name, then removes this instance's older files. */
export async function announceInstance(
  context: StoreContext,
  folders: Folders,
  instance: RemoteInstance,
): Promise<void> {
  const bytes = new TextEncoder().encode(`${JSON.stringify(grammar.parse(instance))}\n`)
  if (bytes.length > instanceFileBytesMax)
    throw new DavitError('internal', "an instance's file is too long", { action: 'give-up' })
  const written = await uploadObject(context, folders, {
    folder: instancesFolder,
    name: (token) => instanceName(instance.id, token),
    hash: sha256(bytes),
    source: {
      size: bytes.length,
      open: async function* () {
        yield bytes
      },
    },
  })
  for (const name of await instanceFiles(context)) {
    if (parseInstanceName(name) !== instance.id || instancesFolder + name === written) continue
    // Gone already, or not to be removed: an older file harms nobody, and the next announcement tries again.
    await (await context.transport.request({ method: 'DELETE', name: instancesFolder + name })).discard()
  }
}

/** The newest file of each instance; those that cannot be read as one are left out. */
export async function listInstances(context: StoreContext): Promise<RemoteInstance[]> {
  const names = (await instanceFiles(context)).slice(0, instancesMax)
  const newest = new Map<string, RemoteInstance>()
  for (let start = 0; start < names.length; start += readAheadMax) {
    const batch = names.slice(start, start + readAheadMax)
    for (const instance of await Promise.all(batch.map((name) => readInstance(context, name)))) {
      if (instance === null) continue
      const other = newest.get(instance.id)
      if (other === undefined || other.seenAt < instance.seenAt) newest.set(instance.id, instance)
    }
  }
  return [...newest.values()].sort((left, right) => (left.id < right.id ? -1 : 1))
}

async function instanceFiles(context: StoreContext): Promise<string[]> {
  const listing = await listCollection(context, { name: instancesFolder })
  if (listing.kind === 'missing') return []
  return listing.entries
    .filter((entry) => !entry.isCollection && parseInstanceName(entry.name) !== null)
    .map((entry) => entry.name)
    .sort()
}

async function readInstance(context: StoreContext, name: string): Promise<RemoteInstance | null> {
  try {
    const response = await context.transport.request({
      method: 'GET',
      name: instancesFolder + name,
      collectBytesMax: instanceFileBytesMax,
    })
    if (response.status !== 200 || isEncoded(response)) {
      await response.discard()
      return null
    }
    const text = new TextDecoder().decode(await readBody(response, instanceFileBytesMax))
    const parsed = grammar.safeParse(JSON.parse(text))
    return parsed.success && parsed.data.id === parseInstanceName(name) ? parsed.data : null
  } catch (error) {
    // Torn while it was written, too long, or no JSON. Only a broken connection is worth telling.
    if (isDavitError(error, 'remote-unreachable')) throw error
    return null
  }
}
