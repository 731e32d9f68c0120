/** Who may use the embedded server: one user by HTTP Basic, or anyone who really speaks to this machine's loopback. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { HttpFailure } from './http-failure.ts'

export interface Credentials {
  readonly username: string
  readonly password: string
}

/** Whether a host to bind to, or a name without port, means this machine only. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, '$1')
  return name === 'localhost' || name === '::1' || /^127(\.\d{1,3}){3}$/.test(name)
}

/**
 * Throws 401 unless the request carries the credentials. Without credentials it throws 403 unless the `Host` names
 * the loopback: a web page whose own name was pointed at 127.0.0.1 (DNS rebinding) must not read or write files.
 */
export function authenticate(request: IncomingMessage, credentials: Credentials | undefined): void {
  if (credentials === undefined) {
    const name = (request.headers.host ?? '').replace(/:\d*$/, '')
    if (!isLoopback(name)) throw new HttpFailure(403, 'this server answers to loopback names only')
    return
  }
  const given = /^basic +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? ''
  const expected = `${credentials.username}:${credentials.password}`
  if (!equalInConstantTime(Buffer.from(given, 'base64'), Buffer.from(expected)))
    throw new HttpFailure(401, 'wrong or missing credentials', {
      'WWW-Authenticate': 'Basic realm="davit", charset="UTF-8"',
    })
}

function equalInConstantTime(left: Uint8Array, right: Uint8Array): boolean {
  // Digests have one length, so not even the length of the password shows.
  return timingSafeEqual(
    createHash('sha256').update(left).digest(),
    createHash('sha256').update(right).digest(),
  )
}
