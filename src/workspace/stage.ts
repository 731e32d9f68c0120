/** Collects a content in a temporary file of the state folder. A torso never leaves it. */
import { createReadStream } from 'node:fs'
import { constants, type FileHandle, open, stat, unlink } from 'node:fs/promises'
import { DavitError } from '../model/errors.ts'
import type { FileCalls } from './file-calls.ts'
import { type StepContext, temporaryFor } from './steps.ts'
import { isMissing, toDavitError } from './system-error.ts'
import type { StagedContent } from './workspace.ts'

/** A staged content as the steps see it. */
export interface StagedFile extends StagedContent {
  readonly file: string
  /** The data was fsynced by `finish`. */
  isDurable(): boolean
}

export interface Stager {
  stage(size: number): Promise<StagedFile>
}

/** Bytes announced and not yet written count as used, so that many downloads at once do not fill the disk. */
export function createStager(context: StepContext): Stager {
  const room = { announcedBytes: 0 }
  return {
    async stage(size) {
      const file = temporaryFor(context, 'staged', null)
      const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = constants
      try {
        assertRoom(context.calls, context.holdingFolder, size + room.announcedBytes, context.reserveBytes)
        const handle = await open(file, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o666)
        return stagedFile(file, handle, size, room)
      } catch (error) {
        throw toDavitError(error, file)
      }
    },
  }
}

/** Rejects with `disk-full` unless `bytes` fit into the folder's file system beside the reserve. */
export function assertRoom(calls: FileCalls, folder: string, bytes: number, reserveBytes: number): void {
  const { bavail, bsize } = calls.statfsSync(folder)
  if (bavail * bsize >= bytes + reserveBytes) return
  throw new DavitError('disk-full', `There is no room for ${bytes} bytes on the disk of '${folder}'.`, {
    action: 'ask',
    hint: 'Free some space on the disk of the workspace.',
    details: { neededBytes: bytes, reserveBytes, freeBytes: bavail * bsize },
  })
}

function stagedFile(
  file: string,
  handle: FileHandle,
  size: number,
  room: { announcedBytes: number },
): StagedFile {
  let position = 0
  let open = true
  let durable = false
  let announced = size
  room.announcedBytes += size

  function announce(bytes: number): void {
    room.announcedBytes += bytes - announced
    announced = bytes
  }
  async function close(): Promise<void> {
    if (!open) return
    open = false
    announce(0)
    await handle.close()
  }
  async function discard(): Promise<void> {
    await close()
    try {
      await unlink(file)
    } catch (error) {
      if (!isMissing(error)) throw toDavitError(error, file)
    }
  }
  async function orDiscard(act: () => Promise<void>): Promise<void> {
    try {
      await act()
    } catch (error) {
      await discard()
      throw toDavitError(error, file)
    }
  }

  return {
    file,
    path: file,
    reread: async () => ({
      size: (await stat(file)).size,
      open: (signal) => createReadStream(file, signal === undefined ? {} : { signal }),
    }),
    isDurable: () => durable,
    sink: {
      write: (chunk) =>
        orDiscard(async () => {
          for (let offset = 0; offset < chunk.length; ) {
            const { bytesWritten } = await handle.write(chunk, offset, chunk.length - offset, position)
            offset += bytesWritten
            position += bytesWritten
          }
          announce(Math.max(0, size - position))
        }),
      restart: () =>
        orDiscard(async () => {
          await handle.truncate(0)
          position = 0
          announce(size)
        }),
    },
    finish: (options) =>
      orDiscard(async () => {
        if (options.durable) await handle.sync()
        durable = options.durable
        await close()
      }),
    discard,
  }
}
