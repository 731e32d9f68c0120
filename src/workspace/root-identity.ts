/**
 * Whether the root is still the folder that was replicated: a marker file with a token in it, and what the caller's
 * database remembers of both. An unmounted disk is an empty folder without a marker, not a deletion of everything.
 */
import { constants } from 'node:fs'
import path from 'node:path'
import { DavitError } from '../model/errors.ts'
import { stateFolderName } from '../model/path.ts'
import type { FileCalls, FileStats } from './file-calls.ts'
import { readText } from './read-text.ts'
import { type HeldFolder, holdFolder } from './safe-path.ts'
import { systemCode, toDavitError } from './system-error.ts'
import { syncPath } from './unsettled.ts'
import type { RootState } from './workspace.ts'

/** What the caller's database keeps of the root, as plain JSON. */
export type RememberedRoot = {
  readonly token: string
  readonly device: number
  readonly inode: number
}

export interface RootMemory {
  /** `null` until the first `renewMarker`. */
  read(): RememberedRoot | null
  write(value: RememberedRoot): void
}

interface Marker {
  readonly token: string
  /** The one before, so that a crash between marker and memory does not look like a restored backup. */
  readonly previous: string | null
}

const markerBytesMax = 4_096

export function rootState(calls: FileCalls, root: string, memory: RootMemory): RootState {
  const remembered = memory.read()
  const found = lstatRoot(calls, root)
  if (found === null) return { kind: 'vanished' }
  if (!found.isDirectory()) return { kind: 'replaced', detail: `'${root}' is no folder any more` }
  if (remembered === null) return { kind: 'present' }
  const marker = readMarker(calls, path.join(root, stateFolderName, 'marker'))
  if (marker === null) {
    const other = found.dev !== remembered.device || found.ino !== remembered.inode
    const what = other ? `Another folder stands at '${root}', without` : `The folder '${root}' has lost`
    return { kind: 'replaced', detail: `${what} the marker ${stateFolderName}/marker` }
  }
  // A folder that was copied or remounted as a whole, with the current marker, is the same one for us.
  if (isRemembered(marker, remembered.token)) return { kind: 'present' }
  return { kind: 'restored' }
}

/**
 * Writes a marker with the token and remembers it. `onlyRemembered`: unless the marker that is remembered stands there,
 * nothing is done; a disk may have gone since somebody looked. Throws `workspace-vanished` when the root is not there.
 */
export async function renewMarker(
  calls: FileCalls,
  root: string,
  memory: RootMemory,
  { token, onlyRemembered }: { readonly token: string; readonly onlyRemembered: boolean },
): Promise<void> {
  const found = lstatRoot(calls, root)
  if (found === null || !found.isDirectory()) throw vanished(root)
  const previous = memory.read()?.token ?? null
  const folder = path.join(root, stateFolderName)
  try {
    if (!onlyRemembered) calls.mkdirSync(folder, { recursive: true, mode: 0o700 })
    // RACE: held from the look to the last act, so that both concern one folder whatever is mounted there meanwhile.
    const held = holdFolder(calls, root, stateFolderName, { make: false })
    if (held.kind !== 'held') {
      if (onlyRemembered) return
      throw vanished(root)
    }
    try {
      if (onlyRemembered && !isRemembered(readMarker(calls, held.folder.at('marker')), previous)) return
      // ORDER: marker, then memory. A crash in between leaves a marker whose `previous` is the remembered token.
      await writeMarker(calls, held.folder, { token, previous })
      if (!held.folder.isInPlace()) throw vanished(root)
    } finally {
      held.folder.close()
    }
    // The folder's own name: it may have been made just now.
    await syncPath(calls, root)
  } catch (error) {
    throw toDavitError(error, folder)
  }
  memory.write({ token, device: found.dev, inode: found.ino })
}

function isRemembered(marker: Marker | null, token: string | null): boolean {
  return marker !== null && token !== null && (marker.token === token || marker.previous === token)
}

function vanished(root: string): DavitError {
  return new DavitError('workspace-vanished', `The workspace '${root}' is not there.`, {
    action: 'ask',
    hint: 'Mount or restore the folder that was replicated.',
  })
}

async function writeMarker(calls: FileCalls, folder: HeldFolder, marker: Marker): Promise<void> {
  const fresh = folder.at('marker.new')
  const { O_WRONLY, O_CREAT, O_TRUNC } = constants
  const bytes = new TextEncoder().encode(`${JSON.stringify(marker)}\n`)
  const fd = calls.openSync(fresh, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
  try {
    for (let at = 0; at < bytes.length; ) at += calls.writeSync(fd, bytes, at, bytes.length - at, at)
    await calls.fsync(fd)
  } finally {
    calls.closeSync(fd)
  }
  calls.renameSync(fresh, folder.at('marker'))
  await calls.fsync(folder.fd)
}

function lstatRoot(calls: FileCalls, root: string): FileStats | null {
  try {
    return calls.lstatSync(root)
  } catch {
    // Whatever the reason (no entry, no permission, a dead mount): for us it is not there.
    return null
  }
}

function readMarker(calls: FileCalls, file: string): Marker | null {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants
  let fd: number
  try {
    fd = calls.openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'EIO'].includes(systemCode(error))) return null
    throw toDavitError(error, 'the marker of the workspace')
  }
  try {
    const stats = calls.fstatSync(fd)
    const text = stats.isFile() ? readText(calls, fd, markerBytesMax) : null
    return text === null ? null : decodeMarker(text)
  } catch (error) {
    // A disk that fails within the file tells as little as one that fails before it.
    if (systemCode(error) === 'EIO') return null
    throw toDavitError(error, 'the marker of the workspace')
  } finally {
    calls.closeSync(fd)
  }
}

function decodeMarker(text: string): Marker | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // A damaged marker is as good as none: somebody has to look.
    return null
  }
  if (typeof value !== 'object' || value === null || !('token' in value) || typeof value.token !== 'string')
    return null
  const previous = 'previous' in value && typeof value.previous === 'string' ? value.previous : null
  return { token: value.token, previous }
}
