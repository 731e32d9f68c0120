/** A small file as text, through the port. */
import type { FileCalls } from './file-calls.ts'

/** From the start to the end; `null` when it is longer than `bytesMax`. */
export function readText(calls: FileCalls, fd: number, bytesMax: number): string | null {
  const chunks: Buffer[] = []
  for (let position = 0; position <= bytesMax; ) {
    const chunk = Buffer.allocUnsafe(Math.min(64 * 1024, bytesMax + 1 - position))
    const bytes = calls.readSync(fd, chunk, 0, chunk.length, position)
    if (bytes === 0) return Buffer.concat(chunks).toString('utf8')
    chunks.push(chunk.subarray(0, bytes))
    position += bytes
  }
  return null
}
