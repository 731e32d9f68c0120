/**
 * The only way from a workspace path to a path that is handed to the system for writing or reading content. Each
 * component above the last is opened without following links; on Linux the opened folder itself is then used (through
 * /proc/self/fd), so that nobody can swap it for a link between the check and the act.
 */
import { constants } from 'node:fs'
import path from 'node:path'
import { DavitError } from '../model/errors.ts'
import type { FilePath } from '../model/file-state.ts'
import { unsafePathReason } from '../model/path.ts'
import type { FileCalls } from './file-calls.ts'
import { isMissing, isNameRefused, systemCode } from './system-error.ts'

const folderFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW

/** A real folder inside `root`, held open. */
export interface HeldFolder {
  readonly fd: number
  readonly device: number
  /** The path to use for a child; leads into this very folder, wherever it may have been moved. */
  at(name: string): string
  /** Whether the folder still stands where it was opened. Asked right before each decisive call. */
  isInPlace(): boolean
  /** Removes the folders that were made to get here, as far as they are empty. */
  unmake(): void
  /** Folders whose entries changed by making this one, for fsync: workspace paths, `''` is the root. */
  readonly madeIn: readonly FilePath[]
  close(): void
}

export type HoldResult =
  | { readonly kind: 'held'; readonly folder: HeldFolder }
  | { readonly kind: 'missing' }
  /** Something that is no folder stands at `path`. */
  | { readonly kind: 'blocked'; readonly path: FilePath }

/** Rejects what must never touch the disk with `path-unsafe`. */
export function assertSafePath(target: FilePath): void {
  const reason = unsafePathReason(target)
  if (reason !== null) throw unsafe(target, reason)
}

/**
 * Opens the folder `folder` (`''`: the root itself) below the real, absolute path `root`, making what is missing if
 * `make`. Throws `path-unsafe` for a symbolic link on the way, `workspace-vanished` when the root is not there.
 */
export function holdFolder(
  calls: FileCalls,
  root: string,
  folder: FilePath,
  options: { readonly make: boolean },
): HoldResult {
  const segments = folder === '' ? [] : folder.split('/')
  let fd = openRoot(calls, root)
  let here: FilePath = ''
  const made: FilePath[] = []
  const below = (fd: number, folder: FilePath, name: string) =>
    calls.descriptorFolder === null
      ? path.join(root, folder, name)
      : `${calls.descriptorFolder}/${fd}/${name}`
  const child = (name: string) => below(fd, here, name)
  const giveUp = (result: HoldResult): HoldResult => {
    calls.closeSync(fd)
    unmake(calls, root, made)
    return result
  }
  try {
    for (const segment of segments) {
      const next: FilePath = here === '' ? segment : `${here}/${segment}`
      let opened = openChild(calls, child(segment), next)
      if (opened === 'missing' && options.make) {
        if (makeChild(calls, child(segment))) made.push(next)
        opened = openChild(calls, child(segment), next)
      }
      if (opened === 'missing') return giveUp({ kind: 'missing' })
      if (opened === 'blocked') return giveUp({ kind: 'blocked', path: next })
      calls.closeSync(fd)
      fd = opened
      here = next
    }
    const held = fd
    return {
      kind: 'held',
      folder: {
        fd: held,
        device: calls.fstatSync(held).dev,
        at: (name) => below(held, folder, name),
        isInPlace: () => isInPlace(calls, held, path.join(root, folder)),
        unmake: () => unmake(calls, root, made),
        madeIn: made.map((made) => made.slice(0, Math.max(0, made.lastIndexOf('/')))),
        close: () => calls.closeSync(held),
      },
    }
  } catch (error) {
    giveUp({ kind: 'missing' })
    throw error
  }
}

/** fsync of the folder, and of the folders in which it or those above it were just made. */
export async function syncHeld(calls: FileCalls, root: string, folder: HeldFolder): Promise<void> {
  await calls.fsync(folder.fd)
  for (const above of folder.madeIn) {
    const held = holdFolder(calls, root, above, { make: false })
    if (held.kind !== 'held') continue
    try {
      await calls.fsync(held.folder.fd)
    } finally {
      held.folder.close()
    }
  }
}

function openRoot(calls: FileCalls, root: string): number {
  try {
    return calls.openSync(root, folderFlags)
  } catch (error) {
    throw new DavitError('workspace-vanished', `The workspace '${root}' cannot be opened.`, {
      action: 'ask',
      hint: 'Check that the disk is mounted and the folder exists.',
      cause: error,
    })
  }
}

function openChild(calls: FileCalls, child: string, name: FilePath): number | 'missing' | 'blocked' {
  try {
    return calls.openSync(child, folderFlags)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 'missing'
    if (systemCode(error) !== 'ENOTDIR' && systemCode(error) !== 'ELOOP') throw error
  }
  try {
    if (calls.lstatSync(child).isSymbolicLink()) throw unsafe(name, 'it is a symbolic link')
  } catch (error) {
    if (isMissing(error)) return 'missing'
    throw error
  }
  return 'blocked'
}

function makeChild(calls: FileCalls, child: string): boolean {
  try {
    calls.mkdirSync(child)
    return true
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false
    throw error
  }
}

function isInPlace(calls: FileCalls, fd: number, expected: string): boolean {
  try {
    const found =
      calls.descriptorFolder === null
        ? calls.realpathSync(expected)
        : calls.readlinkSync(`${calls.descriptorFolder}/${fd}`)
    return found === expected
  } catch (error) {
    // A path beyond the system's limit cannot be told as a whole; the descriptor still leads to the right folder.
    if (calls.descriptorFolder !== null && isNameRefused(error)) return true
    if (isMissing(error)) return false
    throw error
  }
}

function unmake(calls: FileCalls, root: string, made: readonly FilePath[]): void {
  for (const folder of [...made].reverse()) {
    const held = holdFolder(calls, root, folder.slice(0, Math.max(0, folder.lastIndexOf('/'))), {
      make: false,
    })
    if (held.kind !== 'held') return
    try {
      calls.rmdirSync(held.folder.at(folder.slice(folder.lastIndexOf('/') + 1)))
    } catch (error) {
      // Somebody uses it meanwhile: it stays.
      if (!isMissing(error) && systemCode(error) !== 'ENOTEMPTY' && systemCode(error) !== 'EEXIST')
        throw error
      return
    } finally {
      held.folder.close()
    }
  }
}

function unsafe(target: FilePath, reason: string): DavitError {
  return new DavitError('path-unsafe', `The path '${target}' must not be used: ${reason}.`, {
    action: 'give-up',
    details: { path: target, reason },
  })
}
