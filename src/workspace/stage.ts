/** Collects a content in a temporary file of the state folder. A torso never leaves it. */
import { constants } from 'node:fs'
import { DavitError } from '../model/errors.ts'
import type { FileCalls } from './file-calls.ts'
import { type StepContext, temporaryFor } from './steps.ts'
import { isMissing, toDavitError } from './system-error.ts'
import type { StagedContent } from './workspace.ts'

/** Chunks up to this go to the page cache at once: for small files a trip to a thread costs more than the write. */
const directBytesMax = 64 * 1024
const readBytes = 256 * 1024

/** A staged content as the steps see it. */
export interface StagedFile extends StagedContent {
  readonly file: string
}

export interface Stager {
  stage(size: number): Promise<StagedFile>
}

/** Bytes announced and not yet written count as used, so that many downloads at once do not fill the disk. */
export function createStager(context: StepContext): Stager {
  const room = { announcedBytes: 0 }
  return {
    async stage(size) {
      const { calls } = context
      const file = temporaryFor(context, 'staged', null)
      const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = constants
      try {
        assertRoom(calls, context.holdingFolder, size + room.announcedBytes, context.reserveBytes)
        const fd = calls.openSync(file, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o666)
        return stagedFile(calls, file, fd, size, room)
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
  calls: FileCalls,
  file: string,
  fd: number,
  size: number,
  room: { announcedBytes: number },
): StagedFile {
  let position = 0
  let open = true
  let inFlight: Promise<unknown> = Promise.resolve()
  let announced = size
  room.announcedBytes += size

  function announce(bytes: number): void {
    room.announcedBytes += bytes - announced
    announced = bytes
  }
  /** A number that is closed while a thread still writes to it may by then belong to another file. */
  async function settled<T>(work: Promise<T>): Promise<T> {
    inFlight = work.catch(() => undefined)
    return work
  }
  async function close(): Promise<void> {
    if (!open) return
    open = false
    announce(0)
    await inFlight
    calls.closeSync(fd)
  }
  async function discard(): Promise<void> {
    await close()
    try {
      calls.unlinkSync(file)
    } catch (error) {
      if (!isMissing(error)) throw toDavitError(error, file)
    }
  }
  function assertOpen(): void {
    if (open) return
    throw new DavitError('internal', 'The staged content is finished or discarded.', { action: 'give-up' })
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
      size: calls.lstatSync(file).size,
      open: (signal) => readFrom(calls, file, signal),
    }),
    sink: {
      write: (chunk) =>
        orDiscard(async () => {
          for (let offset = 0; offset < chunk.length; ) {
            assertOpen()
            const length = chunk.length - offset
            const written =
              length <= directBytesMax
                ? calls.writeSync(fd, chunk, offset, length, position)
                : await settled(calls.write(fd, chunk, offset, length, position))
            offset += written
            position += written
          }
          announce(Math.max(0, size - position))
        }),
      restart: () =>
        orDiscard(async () => {
          assertOpen()
          calls.ftruncateSync(fd, 0)
          position = 0
          announce(size)
        }),
    },
    finish: (options) =>
      orDiscard(async () => {
        assertOpen()
        if (options.durable) await settled(calls.fsync(fd))
        await close()
      }),
    discard,
  }
}

async function* readFrom(
  calls: FileCalls,
  file: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const fd = calls.openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    for (let position = 0; ; ) {
      signal?.throwIfAborted()
      const buffer = Buffer.allocUnsafe(readBytes)
      const bytes = await calls.read(fd, buffer, 0, readBytes, position)
      if (bytes === 0) return
      position += bytes
      yield buffer.subarray(0, bytes)
    }
  } finally {
    calls.closeSync(fd)
  }
}
