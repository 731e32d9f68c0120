/**
 * HTTP Digest authentication (RFC 7616): MD5 and SHA-256, plain and `-sess`, `qop=auth` and its absence. The `webdav`
 * package knows MD5 only and takes its nonces from Math.random.
 */
import { createHash } from 'node:crypto'

export interface DigestChallenge {
  readonly algorithm: 'MD5' | 'SHA-256'
  readonly isSession: boolean
  readonly realm: string
  readonly nonce: string
  readonly opaque: string | null
  readonly hasQop: boolean
  /** The server's nonce was too old: the password was not judged. */
  readonly isStale: boolean
}

/** The strongest Digest challenge in a `WWW-Authenticate` value that this client can answer; `null` without one. */
export function parseDigestChallenge(header: string): DigestChallenge | null {
  const challenges = splitChallenges(header)
    .map(toChallenge)
    .filter((challenge) => challenge !== null)
  return challenges.find((challenge) => challenge.algorithm === 'SHA-256') ?? challenges[0] ?? null
}

/** The parameters of each `Digest` challenge, among others in one header. */
function splitChallenges(header: string): Map<string, string>[] {
  const found: Map<string, string>[] = []
  let current: Map<string, string> | null = null
  // Either `Scheme ` before its first parameter, or `name=value`.
  const token = /([!#$%&'*+.^_`|~\w-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/g
  for (const match of header.slice(0, 8192).matchAll(token)) {
    const [, name = '', quoted, plain] = match
    if (quoted === undefined && plain === undefined) {
      current = name.toLowerCase() === 'digest' ? new Map() : null
      if (current !== null) found.push(current)
    } else current?.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '')
  }
  return found
}

function toChallenge(parameters: ReadonlyMap<string, string>): DigestChallenge | null {
  const match = /^(md5|sha-256)(-sess)?$/i.exec(parameters.get('algorithm') ?? 'MD5')
  const nonce = parameters.get('nonce')
  const qop = parameters.get('qop')
  const hasQop = qop !== undefined && /(^|[\s,])auth($|[\s,])/i.test(qop)
  if (match === null || nonce === undefined || nonce === '' || (qop !== undefined && !hasQop)) return null
  return {
    algorithm: match[1]?.toUpperCase() === 'MD5' ? 'MD5' : 'SHA-256',
    isSession: match[2] !== undefined,
    realm: parameters.get('realm') ?? '',
    nonce,
    opaque: parameters.get('opaque') ?? null,
    hasQop,
    isStale: parameters.get('stale')?.toLowerCase() === 'true',
  }
}

export interface DigestRequest {
  readonly method: string
  /** The request target exactly as it is sent. */
  readonly target: string
  readonly username: string
  readonly password: string
  /** How many requests this nonce was used for, this one included. */
  readonly count: number
  readonly clientNonce: string
}

/** The value of `Authorization` for one request. */
export function digestAuthorization(challenge: DigestChallenge, request: DigestRequest): string {
  const hash = (text: string) =>
    createHash(challenge.algorithm === 'MD5' ? 'md5' : 'sha256')
      .update(text)
      .digest('hex')
  const { realm, nonce } = challenge
  const count = request.count.toString(16).padStart(8, '0')
  const plainSecret = hash(`${request.username}:${realm}:${request.password}`)
  const secret = challenge.isSession ? hash(`${plainSecret}:${nonce}:${request.clientNonce}`) : plainSecret
  const action = hash(`${request.method}:${request.target}`)
  const response = challenge.hasQop
    ? hash(`${secret}:${nonce}:${count}:${request.clientNonce}:auth:${action}`)
    : hash(`${secret}:${nonce}:${action}`)
  const quote = (text: string) => `"${text.replace(/(["\\])/g, '\\$1')}"`
  const fields = [
    `username=${quote(Buffer.from(request.username).toString('latin1'))}`,
    `realm=${quote(realm)}`,
    `nonce=${quote(nonce)}`,
    `uri=${quote(request.target)}`,
    `algorithm=${challenge.algorithm}${challenge.isSession ? '-sess' : ''}`,
    `response="${response}"`,
    ...(challenge.opaque === null ? [] : [`opaque=${quote(challenge.opaque)}`]),
    ...(challenge.hasQop ? ['qop=auth', `nc=${count}`] : []),
    ...(challenge.hasQop || challenge.isSession ? [`cnonce="${request.clientNonce}"`] : []),
  ]
  return `Digest ${fields.join(', ')}`
}
