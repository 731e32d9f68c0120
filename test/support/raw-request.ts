/** HTTP as bytes on a socket, for what no client library sends: cut bodies, odd paths, missing headers. */
import { connect } from 'node:net'

export interface RawRequest {
  readonly url: string
  readonly head: readonly string[]
  readonly body?: string | Uint8Array
  /** How the connection ends once head and body are sent; the default waits for the server to close it. */
  readonly end?: 'reset' | 'finish'
}

/** Sends the lines of the head as they are and resolves with everything that came back, `''` after a reset. */
export function rawRequest(request: RawRequest): Promise<string> {
  const { hostname, port } = new URL(request.url)
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    const socket = connect(Number(port), hostname, () => {
      socket.write(`${request.head.join('\r\n')}\r\n\r\n`)
      socket.write(request.body ?? '', () => {
        if (request.end === 'reset') socket.resetAndDestroy()
        else if (request.end === 'finish') socket.end()
      })
    })
    socket.on('data', (chunk) => chunks.push(chunk))
    // Being cut off is an outcome here: what was received until then is the answer.
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')))
  })
}
